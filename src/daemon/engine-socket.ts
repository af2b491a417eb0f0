import { connect, type OnReadOpts, type Socket } from 'node:net';
import { messageOf, ShoalError } from '../model/errors.js';

const timeout_ms = 5_000;

/**
 * A fresh byte stream to the Docker Engine API behind a unix socket; `onread` takes what it reads. Throws `unavailable` when nobody
 * answers there.
 */
export function connectEngineSocket(path: string, onread?: OnReadOpts): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true, ...(onread && { onread }) });
    const fail = (error: unknown) => {
      socket.destroy();
      const reason = messageOf(error);
      reject(
        new ShoalError('unavailable', `cannot connect to the Docker Engine at unix://${path}: ${reason}`, {
          cause: error,
        }),
      );
    };
    const timer = setTimeout(() => fail(new Error('no answer')), timeout_ms);
    socket.once('error', (error) => {
      clearTimeout(timer);
      fail(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      socket.on('error', () => {}); // whoever uses the stream adds a listener of its own; until then nothing may throw
      resolve(socket);
    });
  });
}
