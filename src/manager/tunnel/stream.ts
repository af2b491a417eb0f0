import { Duplex } from 'node:stream';
import type { Chunk, ChunkInit } from '../../model/types.js';

/** One end of a tunnel call: both the client's and the server's gRPC stream are of this shape. */
export interface ChunkStream {
  write(chunk: ChunkInit, sent: () => void): boolean;
  on(event: 'data', call: (chunk: Chunk) => void): unknown;
  on(event: 'end' | 'cancelled', call: () => void): unknown;
  on(event: 'error', call: (error: Error) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

const chunkBytesMax = 64 * 1024;

export interface ChunkStreamEnds {
  /** Our writing is over and everything of it was handed to the call. */
  halfClosed: () => void;
  /** The stream was destroyed before both sides had ended: ends the call at once. */
  cut: () => void;
}

/** The bytes of a tunnel as an ordinary stream, half-close included. Back-pressure goes through both ways. */
export function duplexOver(call: ChunkStream, { halfClosed, cut }: ChunkStreamEnds): Duplex {
  let theyEnded = false;
  let weEnded = false;
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => {
      call.resume();
    },
    write: (data: Buffer, _encoding, done) => {
      let at = 0;
      const next = () => {
        if (at >= data.length) return done();
        const Data = data.subarray(at, at + chunkBytesMax);
        at += Data.length;
        call.write({ Data }, next);
      };
      next();
    },
    final: (done) => {
      call.write({ End: true }, () => {
        weEnded = true;
        halfClosed();
        done();
      });
    },
    destroy: (error, done) => {
      if (!weEnded || !theyEnded) cut();
      done(error);
    },
  });
  const interrupted = () => {
    // The call is over before the other side said that it writes no more: what was read may be cut short.
    if (!theyEnded) duplex.destroy(new Error('the tunnel was cut'));
  };
  call.on('data', ({ Data, End }) => {
    if (!theyEnded && Data.length > 0 && !duplex.push(Data)) call.pause();
    if (!End || theyEnded) return;
    theyEnded = true;
    duplex.push(null);
  });
  call.on('end', interrupted);
  call.on('cancelled', () => duplex.destroy(new Error('the tunnel was cut')));
  call.on('error', (error) => duplex.destroy(error));
  return duplex;
}
