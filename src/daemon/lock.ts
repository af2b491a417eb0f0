import { closeSync, openSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { messageOf, ShoalError } from '../model/errors.js';
import { makeDirectory } from './make-directory.js';

export interface StateLock {
  release(): Promise<void>;
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Claims a state directory for this process: a socket that somebody listens on. It holds across network and process namespaces
 * (a lock file with a process id would not), and dies with the process. Makes the directory when there is none. Throws
 * `failed-precondition` when another daemon has it.
 */
export async function lockStateDirectory(directory: string): Promise<StateLock> {
  let folder: number;
  try {
    makeDirectory(directory, 0o700);
    folder = openSync(directory, 'r');
  } catch (error) {
    throw unusable(directory, error);
  }
  const path = `/proc/self/fd/${folder}/lock`; // a socket's path may have 107 bytes only; the directory's may be longer
  const open = async () => {
    try {
      return await listen(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      if (await isAlive(path)) {
        throw new ShoalError('failed-precondition', `state directory ${directory} is in use by another shoal daemon`);
      }
      unlinkSync(path); // of a daemon that was killed
      return listen(path);
    }
  };
  try {
    const server = await open();
    return {
      release: () =>
        new Promise((resolve) => {
          server.close(() => {
            closeSync(folder);
            resolve();
          });
        }),
    };
  } catch (error) {
    closeSync(folder);
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): ShoalError {
  if (error instanceof ShoalError) return error;
  const isDenied = ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
  const then = isDenied ? '. Run the daemon as root, or name a directory of your own with --state-dir' : '';
  return new ShoalError('internal', `state directory ${directory}: cannot be used: ${messageOf(error)}${then}`, {
    cause: error,
  });
}
