// A task of an HTTP service, as a process of its own (see rolling-replacement.test.ts): says its port to its parent, answers with
// the name it was given. Told `exit` it is gone at once, whatever it was doing; told `stop` it ends each
// connection with its next answer, and goes when all have ended.
import { createServer } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';

const name = process.argv[2] ?? '';
let stopping = false;
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const answer = () => {
      if (stopping) response.setHeader('Connection', 'close');
      response.end(name);
    };
    setTimeout(answer, Number(request.headers['x-takes-ms'] ?? 0));
  });
});
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', (message) => {
  if (message === 'exit') process.exit(0);
  stopping = true;
  NetServer.prototype.close.call(server, () => process.exit(0)); // that of http would cut connections between two requests
});
process.on('disconnect', () => process.exit(0));
