import type { ApiAddress } from '../api/server.js';
import { ShoalError } from '../model/errors.js';
import { splitHostPort } from './addresses.js';

const defaultTCPPort = 2375; // Docker's, for an API without TLS

/** Where `-H` says that the API is served: `unix:///path`, a plain path, or `tcp://host:port`. Throws `invalid-argument`. */
export function apiAddress(host: string): ApiAddress {
  const [, scheme = '', rest = host] = /^([a-z]+):\/\/(.*)$/.exec(host) ?? [];
  if (scheme === 'tcp') {
    return splitHostPort(rest, defaultTCPPort, `--host ${host}: must be tcp://HOST:PORT`);
  }
  if ((scheme === 'unix' || scheme === '') && rest.startsWith('/')) return { path: rest };
  throw new ShoalError('invalid-argument', `--host ${host}: must be unix:///PATH or tcp://HOST:PORT`);
}
