import { readFileSync } from 'node:fs';
import type { Logger } from 'winston';
import type { ApiAddress, ApiTLS } from '../api/listening.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { splitHostPort } from './addresses.js';
import { type DaemonOptions, defaultGroup } from './options.js';

const defaultPort = { plain: 2375, tls: 2376 }; // Docker's

const socketPath_bytes_max = 107;

export type ApiOptions = Pick<
  DaemonOptions,
  'apiHosts' | 'group' | 'tls' | 'tlsVerify' | 'tlsCACert' | 'tlsCert' | 'tlsKey'
>;

function read(flag: string, path: string): string {
  if (path === '') throw new ShoalError('invalid-argument', `--${flag}: is needed to serve the API over TCP with TLS`);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ShoalError('invalid-argument', `--${flag} ${path}: cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** How the API is protected on TCP; undefined: not at all, which was asked for with --tls=false. */
function protection(options: ApiOptions): ApiTLS | undefined {
  if (options.tlsVerify) {
    return {
      ca: read('tlscacert', options.tlsCACert),
      cert: read('tlscert', options.tlsCert),
      key: read('tlskey', options.tlsKey),
    };
  }
  if (options.tls === true) return { cert: read('tlscert', options.tlsCert), key: read('tlskey', options.tlsKey) };
  if (options.tls === false) return undefined;
  throw new ShoalError(
    'invalid-argument',
    '--host tcp://…: whoever reaches the API is root on this machine. Use --tlsverify with --tlscacert, --tlscert and --tlskey; ' +
      '--tls alone serves every client, --tls=false serves it without any protection',
  );
}

/**
 * The group that owns the unix sockets (dockerd's --group: a name or a number, '' for none). The default one may be missing; one that
 * was asked for may not.
 */
function groupID(asked: string | undefined, log: Logger): number | undefined {
  const name = asked ?? defaultGroup;
  if (name === '') return undefined;
  let entries = '';
  try {
    entries = readFileSync('/etc/group', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // a container's machine may have no such file
  }
  const lines = entries.split('\n').map((entry) => entry.split(':'));
  const found = lines.find(([group, , id]) => group === name || id === name);
  if (found !== undefined) return Number(found[2]);
  if (/^\d{1,9}$/.test(name)) return Number(name); // of the machine around a container, whose names are not here
  if (asked !== undefined) {
    throw new ShoalError('invalid-argument', `--group ${JSON.stringify(name)}: this machine has no such group`);
  }
  log.warn('the group that is to own the API socket does not exist; only its owner may use it', { group: name });
  return undefined;
}

/**
 * Where the API is served and for whom, from dockerd's options: `unix:///path`, a plain path, or `tcp://host:port`. Throws
 * `invalid-argument` on what makes no sense, and on TCP that is neither protected nor asked for as it is.
 */
export function apiAddresses(options: ApiOptions, log: Logger): ApiAddress[] {
  return options.apiHosts.map((host): ApiAddress => {
    const [, scheme = '', rest = host] = /^([a-z]+):\/\/(.*)$/.exec(host) ?? [];
    const complaint = `--host ${host}: must be unix:///PATH or tcp://HOST:PORT`;
    if (scheme === 'tcp') {
      const tls = protection(options);
      const where = splitHostPort(rest, tls === undefined ? defaultPort.plain : defaultPort.tls, complaint);
      if (tls?.ca === undefined) {
        const is = tls === undefined ? 'without any protection' : 'to clients without a certificate';
        log.warn(`the API is served over TCP ${is}: WHOEVER REACHES IT IS ROOT ON THIS MACHINE`, where);
      }
      return { ...where, ...(tls !== undefined && { tls }) };
    }
    if ((scheme !== 'unix' && scheme !== '') || !rest.startsWith('/'))
      throw new ShoalError('invalid-argument', complaint);
    // Beyond that the kernel would take the first part of the path alone.
    if (Buffer.byteLength(rest) > socketPath_bytes_max) {
      throw new ShoalError(
        'invalid-argument',
        `--host ${host}: the path of a unix socket has at most ${socketPath_bytes_max} bytes, not ${Buffer.byteLength(rest)}`,
      );
    }
    const group = groupID(options.group, log);
    if (group === undefined) return { path: rest };
    return { path: rest, group, ...(options.group !== undefined && { mustHaveGroup: true }) };
  });
}
