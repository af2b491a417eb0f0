// Floods a port with well-formed HTTP/2 frames, from a process of its own: node http2-flood.js PORT FOR_MS [KEY CERTIFICATE]
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const [port = '', for_ms = '', keyFile = '', certificateFile = ''] = process.argv.slice(2);
const own = keyFile === '' ? {} : { key: readFileSync(keyFile), cert: readFileSync(certificateFile) };
const connectionsOfEach = 4;
const end_ms = Date.now() + Number(for_ms);

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK (RFC 7541, 6.2.2): a literal that is not indexed. */
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const headers = Buffer.concat([
  Buffer.from([0x83, 0x87]), // :method POST, :scheme https
  literal(':path', '/shoal.CertificateAuthority/GetRoot'),
  literal(':authority', 'x'),
  literal('content-type', 'application/grpc'),
  literal('te', 'trailers'),
]);

/** Frames of each kind that the sender may go on with for ever; `stream` is the next odd number. */
const kinds: Record<string, (stream: number) => Buffer[]> = {
  'streams that are reset at once': (stream) => [
    frame(1, 4, stream, headers),
    frame(3, 0, stream, Buffer.from([0, 0, 0, 8])),
  ],
  'calls without end': (stream) => [frame(1, 4, stream, headers), frame(0, 1, stream, Buffer.alloc(5))],
  pings: () => [frame(6, 0, 0, Buffer.alloc(8))],
  settings: () => [frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))],
  'frames without anything in them': (stream) => (stream === 1 ? [frame(1, 4, 1, headers)] : [frame(0, 0, 1)]),
  'windows that grow by one': () => [frame(8, 0, 0, Buffer.from([0, 0, 0, 1]))],
};

function attack(next: (stream: number) => Buffer[]): void {
  if (Date.now() > end_ms) return;
  const socket = connect({
    port: Number(port),
    host: '127.0.0.1',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: false,
    ...own,
  });
  let stream = 1;
  socket.on('error', () => {});
  socket.resume();
  socket.on('close', () => setTimeout(() => attack(next), 5));
  socket.once('secureConnect', () => {
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]));
    const go = () => {
      if (socket.destroyed || Date.now() > end_ms) return socket.destroy();
      const frames: Buffer[] = [];
      for (let count = 0; count < 100; count++, stream += 2) frames.push(...next(stream));
      if (socket.write(Buffer.concat(frames))) setImmediate(go);
      else socket.once('drain', go);
      return undefined;
    };
    go();
  });
}

for (const next of Object.values(kinds)) for (let count = 0; count < connectionsOfEach; count++) attack(next);
setTimeout(() => process.exit(), Number(for_ms) + 100); // not when the last connection is let go of: some are not read any more
