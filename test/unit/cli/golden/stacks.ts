import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../../src/model/paths.js';
import type { FakeDaemon } from '../../../helpers/fake-daemon.js';
import { type Answer, Refusal } from '../../../helpers/fake-daemon.js';
import { bodyOf, routes } from './cluster.js';

export const stacksFolder = join(packageRoot(), 'test', 'unit', 'cli', 'golden', 'stacks');

/** A cluster that has nothing of the stack `s` yet, and networks, secrets and configs that are not the stack's. */
export const stackRoutes: Record<string, Answer> = {
  ...routes,
  'GET /info': { Swarm: { LocalNodeState: 'active', ControlAvailable: true, NodeID: 'self' } },
  'GET /networks': [],
  'GET /services': [],
  'GET /networks/host': { Id: 'host', Name: 'host', Scope: 'swarm', Driver: 'host' },
  'GET /networks/local': { Id: 'local', Name: 'local', Scope: 'local', Driver: 'bridge' },
  'POST /networks/create': { Id: 'new' },
  'POST /secrets/create': { ID: 'new' },
  'POST /configs/create': { ID: 'new' },
  'GET /secrets': ['s1', 's_db-password', 's_key', 'cert-v2'].map((name) => ({
    ID: `${name}id`,
    Spec: { Name: name },
  })),
  'GET /configs': ['c1', 's_conf'].map((name) => ({ ID: `${name}id`, Spec: { Name: name } })),
  'GET /secrets/*': new Refusal(404, 'secret nope not found'),
  'GET /configs/*': new Refusal(404, 'config nope not found'),
};

/** Variables that the stacks read. */
export const stackEnvironment = { TAG: '7', OWN: 'own' };

/** The command lines after `stack deploy`: each file by itself, and some together. Their last word is the stack. */
export function stackLines(): string[] {
  const files = readdirSync(stacksFolder).filter((name) => name.endsWith('.yml') && name !== 'override.yml');
  return [...files.map((file) => `-c ${file} s`), '-c web.yml -c override.yml --resolve-image never s'];
}

/** What a deployment sent that changes something, in an order of its own: Docker's is that of Go's maps. */
export function changesSent(daemon: FakeDaemon): unknown[] {
  return daemon.requests
    .filter(({ method }) => method !== 'GET' && method !== 'HEAD')
    .map(({ method, path, query, body }) => ({ call: `${method} ${path}`, query, body: bodyOf(body) }))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ call, body }: { call: string; body: unknown }): string {
  return `${call} ${(body as { Name?: string } | undefined)?.Name ?? ''}`;
}
