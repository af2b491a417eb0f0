import { ShoalError } from '../model/errors.js';
import type { Service } from '../model/types.js';
import type { Exchange } from './exchange.js';

/**
 * The X-Registry-Auth header of a request, as nodes hand it to their engines: base64 of a JSON object. What is none is passed over, as Docker
 * does; '' when there is nothing.
 */
export function registryAuth({ request }: Exchange): string {
  const header = request.headers['x-registry-auth'] ?? '';
  if (typeof header !== 'string' || !/^[\w+/=-]+$/.test(header)) return '';
  try {
    const login: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'));
    return typeof login === 'object' && login !== null && Object.keys(login).length > 0 ? header : '';
  } catch {
    return '';
  }
}

/**
 * With what the image of an updated service is pulled: what came with the update, else by `registryAuthFrom` what came with the spec it
 * replaces, or the one before. Throws `invalid-argument` in Docker's words.
 */
export function authOfUpdate(
  exchange: Exchange,
  current: Service,
): Pick<Service, 'RegistryAuth' | 'PreviousRegistryAuth'> {
  const from = exchange.query.get('registryAuthFrom') ?? '';
  if (!['', 'spec', 'previous-spec'].includes(from)) {
    throw new ShoalError('invalid-argument', `unsupported registryAuthFrom value (${from.slice(0, 100)})`);
  }
  if (from === 'previous-spec' && !current.PreviousSpec) {
    throw new ShoalError('failed-precondition', 'service does not have a previous spec (registryAuthFrom)');
  }
  const kept = from === 'previous-spec' ? current.PreviousRegistryAuth : current.RegistryAuth;
  return { RegistryAuth: registryAuth(exchange) || kept, PreviousRegistryAuth: current.RegistryAuth };
}
