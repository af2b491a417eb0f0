import { ShoalError } from '../model/errors.js';
import { type Api, type Exchange, readBody } from './exchange.js';
import { passThrough } from './passthrough.js';
import type { Route } from './router.js';

/** Networks are the engine's own; one for the whole cluster is refused with a reason, for the engine's would mislead. */
export const networkRoutes: readonly Route[] = [{ method: 'POST', pattern: '/networks/create', handle: create }];

async function create(api: Api, exchange: Exchange): Promise<void> {
  const body = await readBody(api, exchange);
  if (isForCluster(body)) {
    throw new ShoalError(
      'not-supported',
      'Driver: overlay networks are not supported; services reach each other through published ports',
    );
  }
  await passThrough(api, exchange, api.engines.own, body);
}

function isForCluster(body: Buffer): boolean {
  let request: unknown;
  try {
    request = JSON.parse(body.toString('utf8'));
  } catch {
    return false; // the engine says what is wrong with it
  }
  if (typeof request !== 'object' || request === null) return false;
  return Object.entries(request).some(
    ([key, value]) =>
      (key.toLowerCase() === 'driver' && value === 'overlay') || (key.toLowerCase() === 'scope' && value === 'swarm'),
  );
}
