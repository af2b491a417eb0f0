import { configurationFor } from '../manager/subnets.js';
import { asksForEncryption, encryptionObstacle } from '../model/encrypted-networks.js';
import { ShoalError } from '../model/errors.js';
import { newID } from '../model/ids.js';
import type { Network, NetworkSpec } from '../model/types.js';
import { validateNetworkSpec } from '../model/validate/network.js';
import type { View } from '../store/view.js';
import { networkLabel } from '../worker/networks/labels.js';
import type { ManagerBackend } from './backend.js';
import { getJSON } from './engine.js';
import { type Api, answerEmpty, answerJSON, type Exchange, flag, managerOf, readBody } from './exchange.js';
import { type Filters, filtersOf } from './filters.js';
import { isUsed, prune } from './network-prune.js';
import { releasedByEndingTasks } from './network-release.js';
import { isForCluster, predefinedNetwork, shownNetwork, specOf, verboseParts } from './network-shape.js';
import { engineTarget, passThrough } from './passthrough.js';
import type { Route } from './router.js';
import { propose } from './transaction.js';

/**
 * Networks of the cluster beside those of the node's own engine. What the engine has for a network of the cluster, a bridge with our
 * label, is never shown as a network of its own.
 */
export const networkRoutes: readonly Route[] = [
  { method: 'GET', pattern: '/networks', handle: list },
  { method: 'POST', pattern: '/networks/create', handle: create },
  { method: 'POST', pattern: '/networks/prune', handle: prune },
  { method: 'GET', pattern: '/networks/{id}', handle: inspect },
  { method: 'DELETE', pattern: '/networks/{id}', handle: remove },
  { method: 'GET', pattern: '/shoal/networks/verify', handle: verify }, // Docker has nothing like it
];

/** Attempts of a creation whose subnet another one took meanwhile. */
const attemptsMax = 5;

interface EngineNetwork {
  Id?: unknown;
  Labels?: Record<string, string> | null;
  Containers?: unknown;
}

async function create(api: Api, exchange: Exchange): Promise<void> {
  const body = await readBody(api, exchange);
  const request = parsed(body);
  if (!isForCluster(request)) return passThrough(api, exchange, api.engines.own, body);
  const manager = managerOf(api);
  const spec = specOf(request);
  validateNetworkSpec(spec);
  const ID = newID(api.random);
  for (let left = attemptsMax; ; left--) {
    const view = await manager.read();
    if (view.byName('Network', spec.Name) !== undefined) {
      throw new ShoalError('name-conflict', `network with name ${spec.Name} already exists`);
    }
    checkEncryption(spec, view);
    const IPAMOptions = configurationFor(spec, view);
    if (typeof IPAMOptions === 'number') {
      throw new ShoalError(
        'invalid-argument',
        `could not find an available, non-overlapping IPv${IPAMOptions} address pool among the defaults to assign to the network`,
      );
    }
    try {
      await propose(api, manager, [
        { Action: 'create', ID, Network: { ID, Spec: spec, DriverState: { Name: 'overlay' }, IPAMOptions } },
      ]);
      break;
    } catch (error) {
      const isTaken = error instanceof ShoalError && error.code === 'out-of-sequence';
      if (!isTaken) throw error;
      const asked = (spec.IPAMOptions?.Configs ?? []).filter(({ Subnet }) => Subnet !== '');
      if (asked.length === IPAMOptions.Configs.length || left === 0) throw new ShoalError('forbidden', error.message);
    }
  }
  answerJSON(exchange, 201, { Id: ID, Warning: '' });
}

/** A network that no node could carry would only keep its tasks waiting. */
function checkEncryption(spec: NetworkSpec, view: View): void {
  const obstacle = asksForEncryption(spec) ? encryptionObstacle(view.list('Node')) : undefined;
  if (obstacle === undefined) return;
  throw new ShoalError('not-supported', `Options.encrypted: no node of the cluster can encrypt (${obstacle})`);
}

async function verify(api: Api, exchange: Exchange): Promise<void> {
  const { revision, differences, delays } = await api.backend.verifyNetworks();
  answerJSON(exchange, 200, {
    Revision: revision,
    Differences: differences,
    Delays: { Count: delays.count, Median: Math.round(delays.median_ms), Max: Math.round(delays.max_ms) },
  });
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined; // the engine says what is wrong with it
  }
}

async function list(api: Api, exchange: Exchange): Promise<void> {
  const filters = filtersOf(exchange, ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']);
  const { own } = api.engines;
  const { response, body } = await getJSON(own.kept, await engineTarget(exchange, own.version));
  const manager = api.backend.manager();
  if (response.statusCode !== 200 || !Array.isArray(body)) {
    return answerJSON(exchange, response.statusCode ?? 502, body);
  }
  if (manager === undefined) {
    const shown = (body as EngineNetwork[]).map((network) => {
      const ofCluster = api.backend.ownContainers()?.find(idOf(network) ?? '');
      return { id: ofCluster?.ID ?? network.Id, network: ofCluster === undefined ? network : shownNetwork(ofCluster) };
    });
    // One of the cluster has a bridge for each of its segments.
    const once = shown.filter(({ id }, at) => shown.findIndex((one) => one.id === id) === at);
    return answerJSON(
      exchange,
      200,
      once.map(({ network }) => network),
    );
  }
  const local = (body as EngineNetwork[]).filter((network) => idOf(network) === undefined);
  const view = await manager.read();
  const cluster = [...view.list('Network')].filter((network) => matches(network, filters, view));
  answerJSON(exchange, 200, [...local, ...cluster.map((network) => shownNetwork(network))]);
}

/** Its id in the cluster, of what the engine has for a network of the cluster. */
function idOf({ Labels }: EngineNetwork): string | undefined {
  return Labels?.[networkLabel];
}

function matches(network: Network, filters: Filters, view: View): boolean {
  const contains = (name: string, value: string) =>
    !filters.has(name) || filters.get(name).some((part) => value.includes(part));
  const [dangling] = filters.get('dangling');
  return (
    contains('name', network.Spec?.Name ?? '') &&
    contains('id', network.ID) &&
    filters.matches('driver', 'overlay') &&
    filters.matches('scope', 'swarm') &&
    filters.matches('type', 'custom') &&
    filters.matchesLabels('label', network.Spec?.Labels ?? {}) &&
    (dangling === undefined || /^(1|t|true)$/i.test(dangling) === !isUsed(network, view))
  );
}

async function inspect(api: Api, exchange: Exchange): Promise<void> {
  const scope = exchange.query.get('scope');
  const ofEveryNode = scope === 'swarm' && api.backend.manager() && predefinedNetwork(exchange.params.id!);
  if (ofEveryNode) return answerJSON(exchange, 200, ofEveryNode);
  const found = scope === 'local' ? undefined : await lookUp(api, exchange);
  if (found === undefined) return inspectHere(api, exchange);
  const { network, view } = found;
  const shown = shownNetwork(network, await containersOn(api, network));
  answerJSON(exchange, 200, flag(exchange, 'verbose') ? { ...shown, ...verboseParts(network, view) } : shown);
}

/** A network as a node knows it that is no manager: one of the cluster while it is there, and all that are the engine's own. */
async function inspectHere(api: Api, exchange: Exchange): Promise<void> {
  const network = api.backend.manager() ? undefined : api.backend.ownContainers()?.find(exchange.params.id!);
  const containers = network && (await containersOn(api, network));
  if (network === undefined || containers === null) return passThrough(api, exchange, api.engines.own);
  answerJSON(exchange, 200, shownNetwork(network, containers));
}

/** The containers of this node on the network, as its engine shows them; null when it has none of it, or does not answer. */
async function containersOn(api: Api, network: Network): Promise<unknown> {
  try {
    const { kept } = api.engines.own;
    const filters = encodeURIComponent(JSON.stringify({ label: [`${networkLabel}=${network.ID}`] }));
    const { body } = await getJSON(kept, `/networks?filters=${filters}`);
    const ids = (Array.isArray(body) ? (body as EngineNetwork[]) : []).map(({ Id }) => Id);
    const bridges = ids.filter((id) => typeof id === 'string'); // one a segment
    const answers = await Promise.all(bridges.map((id) => getJSON(kept, `/networks/${encodeURIComponent(id)}`)));
    const shown = answers.flatMap((answer) => (answer.body as EngineNetwork).Containers ?? []);
    return shown.length === 0 ? null : Object.assign({}, ...shown);
  } catch {
    return null;
  }
}

async function remove(api: Api, exchange: Exchange): Promise<void> {
  const found = await lookUp(api, exchange);
  if (found === undefined) return passThrough(api, exchange, api.engines.own);
  await releasedByEndingTasks(api, found.manager, found.network, exchange);
  await propose(api, found.manager, [{ Action: 'remove', Kind: 'Network', ID: found.network.ID }]);
  answerEmpty(exchange, 204);
}

/** The network of the cluster that is meant, as Docker looks it up: whole id, name, beginning of an id. Undefined: the engine's own. */
async function lookUp(
  api: Api,
  exchange: Exchange,
): Promise<{ manager: ManagerBackend; view: View; network: Network } | undefined> {
  const manager = api.backend.manager();
  if (manager === undefined) return undefined;
  const view = await manager.read();
  const reference = exchange.params.id!;
  const exact = view.get('Network', reference) ?? view.byName('Network', reference);
  if (exact !== undefined) return { manager, view, network: exact };
  const [network, another] = [...view.list('Network')].filter(({ ID }) => ID.startsWith(reference));
  return network === undefined || another !== undefined ? undefined : { manager, view, network };
}
