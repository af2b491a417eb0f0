import { ShoalError } from '../model/errors.js';
import { formatIP, parseIP } from '../model/ip.js';
import type { Network } from '../model/types.js';
import { addressesLabel, nameserversLabel } from '../worker/networks/labels.js';
import type { NodeContainers } from './backend.js';
import { type Api, answerEmpty, type Exchange, readBody } from './exchange.js';
import { passThrough } from './passthrough.js';
import type { Route } from './router.js';

/**
 * Containers of this node's own on networks of the cluster (decision 32). The engine makes and starts them; what it has to be told of
 * such a network is put into the requests on their way.
 */
export const containerNetworkRoutes: readonly Route[] = [
  { method: 'POST', pattern: '/containers/create', handle: create },
  { method: 'POST', pattern: '/containers/{id}/start', handle: start },
  { method: 'POST', pattern: '/containers/{id}/restart', handle: start },
  { method: 'POST', pattern: '/networks/{id}/connect', handle: connect },
  { method: 'POST', pattern: '/networks/{id}/disconnect', handle: disconnect },
];

type Fields = Record<string, unknown>;

async function create(api: Api, exchange: Exchange): Promise<void> {
  const { own } = api.engines;
  const containers = api.backend.ownContainers();
  if (containers === undefined) return passThrough(api, exchange, own);
  const body = await readBody(api, exchange);
  const request = fieldsIn(body);
  const isChanged = request !== undefined && (await putOnNetworks(request, containers));
  return passThrough(api, exchange, own, isChanged ? Buffer.from(JSON.stringify(request)) : body);
}

/** Writes the engine's names of the cluster's networks that are asked for into the request. False: there are none. */
async function putOnNetworks(request: Fields, containers: NodeContainers): Promise<boolean> {
  const host = fieldsOf(request.HostConfig);
  const endpoints = fieldsOf(fieldsOf(request.NetworkingConfig).EndpointsConfig);
  const names = new Set([String(host.NetworkMode ?? ''), ...Object.keys(endpoints)]);
  const asked = [...names].flatMap((name) => {
    const network = containers.find(name);
    return network === undefined ? [] : [{ name, network }];
  });
  if (asked.length === 0) return false;
  const labels = fieldsOf(request.Labels);
  const addresses: string[] = [];
  let gateway = '';
  for (const { name, network } of asked) {
    const endpoint = fieldsOf(endpoints[name]);
    const wish = wishIn(endpoint, network);
    const bridge = await containers.bring(network, wish);
    gateway ||= bridge.gateway;
    if (host.NetworkMode === name) host.NetworkMode = bridge.name;
    addresses.push(wish.address, wish.address6);
    delete endpoints[name];
    delete endpoint.NetworkID; // the cluster's, which the engine knows nothing of
    endpoints[bridge.name] = endpoint;
  }
  const chosen = addresses.filter((address) => address !== '');
  if (chosen.length > 0) labels[addressesLabel] = chosen.join(' ');
  // The engine's own resolver asks the cluster's, and that the name servers that the user chose.
  const nameservers = Array.isArray(host.Dns) ? host.Dns.map(String) : [];
  if (nameservers.length > 0) labels[nameserversLabel] = nameservers.join(' ');
  request.Labels = labels;
  request.HostConfig = { ...host, Dns: [gateway] };
  request.NetworkingConfig = { ...fieldsOf(request.NetworkingConfig), EndpointsConfig: endpoints };
  return true;
}

async function start(api: Api, exchange: Exchange): Promise<void> {
  const engine = await api.engines.of(exchange);
  const containers = api.backend.ownContainers();
  const go = () => passThrough(api, exchange, engine);
  if (containers === undefined || engine !== api.engines.own) return go();
  await containers.starting(exchange.params.id!, go);
}

async function connect(api: Api, exchange: Exchange): Promise<void> {
  const asked = await askedOf(api, exchange);
  if (asked === undefined) return;
  const { containers, network, container, request } = asked;
  const endpoint = fieldsOf(request.EndpointConfig);
  const aliases = Array.isArray(endpoint.Aliases) ? endpoint.Aliases.map(String) : [];
  await containers.connect(container, network, { ...wishIn(endpoint, network), aliases });
  answerEmpty(exchange, 200);
}

async function disconnect(api: Api, exchange: Exchange): Promise<void> {
  const asked = await askedOf(api, exchange);
  if (asked === undefined) return;
  await asked.containers.disconnect(asked.container, asked.network);
  answerEmpty(exchange, 200);
}

/** The container and the network of the cluster that are meant; undefined when it is for the engine to answer, and has been. */
async function askedOf(
  api: Api,
  exchange: Exchange,
): Promise<{ containers: NodeContainers; network: Network; container: string; request: Fields } | undefined> {
  const body = await readBody(api, exchange);
  const containers = api.backend.ownContainers();
  const network = containers?.find(exchange.params.id!);
  const request = fieldsIn(body);
  const container = request?.Container;
  if (containers === undefined || network === undefined || typeof container !== 'string' || container === '') {
    await passThrough(api, exchange, api.engines.own, body);
    return undefined;
  }
  return { containers, network, container, request: request! };
}

/** The addresses that are asked for on a network; '' where any will do. */
function wishIn(endpoint: Fields, network: Network): { address: string; address6: string } {
  const asked = fieldsOf(endpoint.IPAMConfig);
  const read = (field: 'IPv4Address' | 'IPv6Address') => {
    const address = asked[field] ?? '';
    if (typeof address === 'string') return formatted(address);
    throw new ShoalError('invalid-argument', `IPAMConfig.${field} of network ${network.Spec?.Name}: must be a string`);
  };
  return { address: read('IPv4Address'), address6: read('IPv6Address') };
}

/** As everything else writes it, if it is an address. */
function formatted(text: string): string {
  const address = parseIP(text);
  return address === undefined ? text : formatIP(address);
}

/** The body's object; undefined of anything else, of which the engine says what is wrong with it. */
function fieldsIn(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Fields {
  return isFields(value) ? { ...value } : {};
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
