import { Duplex } from 'node:stream';
import type { Clock } from '../model/clock.js';
import { connectEngineSocket } from './engine-socket.js';

/** How long a busy stream is left to itself: on Linux a socket's buffer is full after some 270 short writes, and its writer stands still. */
const gather_ms = 1;
/** A read of as much is worth its cost. */
const large_bytes = 16 * 1024;
/** What is read is copied out at once, so that all streams share it. */
const shared = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Like `connectEngineSocket`, for answers that go on: a stream that reads few large pieces. An engine writes a log line by line, and to
 * wake up for each of them costs both sides more than to make it. So when short pieces follow upon each other, the next read waits for a
 * moment, while the kernel gathers.
 */
export async function streamEngineSocket(path: string, clock: Clock): Promise<Duplex> {
  let taken: (bytes: Buffer) => boolean = () => false;
  const callback = (length: number) => taken(Buffer.from(shared.subarray(0, length)));
  const socket = await connectEngineSocket(path, { buffer: shared, callback });
  let isWanted = true;
  let isWaiting = false;
  let short_ms = Number.NEGATIVE_INFINITY; // when the last short piece came
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => {
      isWanted = true;
      if (!isWaiting) socket.resume();
    },
    write: (bytes: Buffer, _encoding, done) => {
      socket.write(bytes, done);
    },
    final: (done) => {
      socket.end(done);
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  taken = (bytes) => {
    isWanted = stream.push(bytes);
    if (bytes.length >= large_bytes) return isWanted;
    const before_ms = short_ms;
    short_ms = clock.monotonic();
    if (short_ms - before_ms > 2 * gather_ms) return isWanted;
    isWaiting = true;
    clock.after(gather_ms, () => {
      isWaiting = false;
      if (isWanted) socket.resume();
    });
    return false;
  };
  socket.once('end', () => stream.push(null));
  socket.on('error', (error) => stream.destroy(error));
  socket.once('close', () => {
    if (!socket.readableEnded) stream.destroy(); // else what it brought is still to be read
  });
  return stream;
}
