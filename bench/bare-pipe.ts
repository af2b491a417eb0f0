import { connect, createServer } from 'node:net';

// What passing through costs at the least: a process of its own that copies bytes between two sockets. Arguments: where to listen, where to go.
const [listen = '', engine = ''] = process.argv.slice(2);
createServer({ allowHalfOpen: true }, (client) => {
  const there = connect({ path: engine, allowHalfOpen: true });
  for (const [one, other] of [
    [client, there],
    [there, client],
  ] as const) {
    one.pipe(other);
    one.on('error', () => {}).once('close', () => other.destroy());
  }
}).listen(listen, () => process.send?.('listening'));
