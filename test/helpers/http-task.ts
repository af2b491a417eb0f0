// A task of an HTTP service, as a process of its own (see rolling-replacement.test.ts): says its port to its parent, answers with
// the name it was given and, as `x-got`, the digest of the body it was sent. Told `exit` it is gone at once, whatever it was doing;
// told `stop` it goes as most servers do: accepts no more, ends connections between two requests, and is gone.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const name = process.argv[2] ?? '';
const server = createServer((request, response) => {
  const hash = createHash('sha256');
  request.on('data', (bytes) => hash.update(bytes));
  request.on('end', () => {
    response.setHeader('x-got', hash.digest('hex'));
    setTimeout(() => response.end(name), Number(request.headers['x-takes-ms'] ?? 0));
  });
});
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', (message) => {
  if (message === 'stop') {
    server.close();
    server.closeIdleConnections();
  }
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
