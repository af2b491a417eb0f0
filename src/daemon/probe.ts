import { connect, createServer } from 'node:net';
import { messageOf, ShoalError } from '../model/errors.js';
import { type HostPort, joinHostPort, plainAddress } from './addresses.js';

const reach_ms = 5_000;

/** Throws `invalid-argument` when nothing can listen there, before anything irreversible was done. */
export function checkPortFree({ host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      const where = joinHostPort({ host, port });
      reject(new ShoalError('invalid-argument', `cannot listen on ${where}: ${messageOf(error)}`, { cause: error }));
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

/** Connects to `host:port` once and resolves with our own address on the way there. Throws `unavailable`. */
export function reach({ host, port }: HostPort): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (error: unknown) => {
      socket.destroy();
      const where = joinHostPort({ host, port });
      reject(new ShoalError('unavailable', `${where} cannot be reached: ${messageOf(error)}`, { cause: error }));
    };
    socket.setTimeout(reach_ms, () => fail(new Error('no answer')));
    socket.once('error', fail);
    socket.once('connect', () => {
      const own = plainAddress(socket.localAddress ?? '');
      socket.destroy();
      resolve(own);
    });
  });
}

/** Whether something on this machine can listen on the address. */
export function isOwnAddress(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'EADDRNOTAVAIL'));
    server.listen({ host, port: 0, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
