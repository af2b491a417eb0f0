import { chmodSync, chownSync, lstatSync, unlinkSync } from 'node:fs';
import type http from 'node:http';
import net from 'node:net';
import type { Logger } from 'winston';
import { ShoalError } from '../model/errors.js';

/** PEM. With `ca` only clients are served that show a certificate from it. */
export interface ApiTLS {
  ca?: string;
  cert: string;
  key: string;
}

/** A unix socket, of this group: where this process may not give it to the group it stays its owner's, unless it must have it. */
export interface UnixAddress {
  path: string;
  mode?: number;
  group?: number;
  mustHaveGroup?: boolean;
}

/** Where the API listens: a unix socket, or TCP (port 0: any free one). */
export type ApiAddress = UnixAddress | { host: string; port: number; tls?: ApiTLS };

/** Resolves with the port that it became. */
export async function listenTCP(server: http.Server, address: { host: string; port: number }): Promise<ApiAddress> {
  await bound(server, () => server.listen(address.port, address.host));
  const { address: host, port } = server.address() as net.AddressInfo;
  return { host, port };
}

/**
 * A socket that nobody answers on any more is replaced. Throws `failed-precondition` when somebody does or something else has that
 * name, `forbidden` when it must have a group it may not be given.
 */
export async function listenUnix(server: http.Server, address: UnixAddress, log: Logger): Promise<ApiAddress> {
  const { path, mode = 0o660 } = address;
  await clearTheWay(path);
  const before = process.umask(0o177); // nobody else may connect between the bind and the chmod
  try {
    await bound(server, () => {
      server.listen(path);
    });
  } finally {
    process.umask(before);
  }
  giveToGroup(address, log);
  chmodSync(path, mode);
  return address;
}

function giveToGroup({ path, group, mustHaveGroup = false }: UnixAddress, log: Logger): void {
  if (group === undefined) return;
  try {
    chownSync(path, process.geteuid?.() ?? 0, group);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    if (mustHaveGroup) {
      throw new ShoalError('forbidden', `${path}: this user may not give the socket to group ${group}`, {
        cause: error,
      });
    }
    log.warn('this user may not give the API socket to the group; only its owner may use it', { path, group });
  }
}

function bound(server: http.Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

async function clearTheWay(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) {
    throw new ShoalError('failed-precondition', `${path}: is there already, and no socket; name another path`);
  }
  const error = await connectionError(path);
  if (error === undefined) {
    throw new ShoalError('failed-precondition', `${path}: another daemon is listening on this socket`);
  }
  if (error.code === 'ENOENT') return; // its daemon has just ended
  if (error.code !== 'ECONNREFUSED') {
    throw new ShoalError(
      'failed-precondition',
      `${path}: is there already, and whose it is cannot be told: ${error.message}`,
      {
        cause: error,
      },
    );
  }
  unlinkSync(path);
}

/** Why nobody can be reached at a socket; undefined when somebody can. */
function connectionError(path: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', resolve);
  });
}
