import { isOfIPv6 } from '../../model/ip.js';
import type { DesiredKernel } from './desired.js';
import { lacking } from './lacking.js';
import { markMask, returnPriority } from './names.js';

/** What the kernel has now on a tunnel device and on our bridges, as `ip -j` and `bridge -j` tell. */
export interface ActualKernel {
  /** Undefined: there is no tunnel device. */
  tunnel: { mac: string; local: string; port: number; mtu: number; isUp: boolean; addresses: string[] } | undefined;
  /** Hardware address by address; entries that the kernel learned itself are left out. */
  neighbours: ReadonlyMap<string, string>;
  /** Underlay address by hardware address. */
  forwarding: ReadonlyMap<string, string>;
  /** Gateway by destination, '' of a route without. */
  routes: ReadonlyMap<string, string>;
  /** `<address> dev <bridge>` for which bridges answer neighbours of IPv6. */
  proxies: ReadonlySet<string>;
  /** Gateway by routing table, of those that are ours. */
  returns: ReadonlyMap<number, string>;
  /** Routing tables that marked packets are sent to, by rules of ours. */
  returnRules: ReadonlySet<number>;
  /** Ports of our bridges that do not send a frame back where it came from. */
  oneWayPorts: readonly string[];
}

/** Lines for `ip -batch -` and `bridge -batch -`, in the order in which they must be carried out. */
export interface Commands {
  ip: string[];
  bridge: string[];
}

/** What makes `actual` be as desired; nothing when it is. Pure. */
export function commandsFor(desired: DesiredKernel, actual: ActualKernel): Commands {
  const { tunnel } = desired;
  const { device, identifier } = desired.via;
  if (tunnel === undefined) {
    const gone = actual.tunnel === undefined ? [] : [`link del ${device}`];
    const ip = [...gone, ...returnRuleCommands(desired, actual), ...proxyCommands(desired, actual)];
    return { ip, bridge: hairpins(actual) };
  }
  const ip: string[] = [];
  let now = actual;
  const found = actual.tunnel;
  const isSame =
    found !== undefined && found.mac === tunnel.mac && found.local === tunnel.local && found.port === tunnel.port;
  if (!isSame) {
    // What it has goes with it, and its addresses are fixed when it is made.
    if (found !== undefined) ip.push(`link del ${device}`);
    ip.push(
      `link add ${device} address ${tunnel.mac} mtu ${tunnel.mtu} type vxlan id ${identifier} local ${tunnel.local} dstport ${tunnel.port} nolearning`,
    );
    const { oneWayPorts, returnRules, proxies } = actual;
    now = { ...nothing, oneWayPorts, returnRules, proxies };
  } else if (found.mtu !== tunnel.mtu) ip.push(`link set ${device} mtu ${tunnel.mtu}`);
  const addresses = tunnelAddresses(tunnel).map(inCIDR);
  for (const address of now.tunnel?.addresses ?? []) {
    if (!addresses.includes(address)) ip.push(`addr del ${address} dev ${device}`);
  }
  for (const address of addresses) {
    // Nobody else can have it, so nobody is asked: it serves at once.
    const more = isOfIPv6(address) ? ' nodad' : '';
    if (!now.tunnel?.addresses.includes(address)) ip.push(`addr add ${address} dev ${device}${more}`);
  }
  // A device that was down has lost its routes.
  if (!now.tunnel?.isUp) {
    ip.push(`link set ${device} up`);
    now = { ...now, routes: new Map(), returns: new Map() };
  }
  // Not as arguments: there may be more than a call takes.
  const ways = [...neighbourCommands(desired, now), ...routeCommands(desired, now), ...proxyCommands(desired, now)];
  const returning = [...returnCommands(desired, now), ...returnRuleCommands(desired, now)];
  return {
    ip: [...ip, ...ways, ...returning],
    bridge: [...forwardingCommands(desired, now), ...hairpins(now)],
  };
}

/** What is there once `commandsFor` of the same was carried out; with a tunnel. */
export function carriedOut(desired: DesiredKernel, actual: ActualKernel): ActualKernel {
  const { tunnel, peers, returns } = desired;
  return {
    ...actual,
    tunnel: tunnel && { ...tunnel, isUp: true, addresses: tunnelAddresses(tunnel).map(inCIDR) },
    neighbours: neighboursOf(desired),
    forwarding: new Map(peers.map(({ mac, underlay }) => [mac, underlay])),
    routes: routesOf(desired),
    proxies: desired.proxies,
    returns,
    returnRules: new Set(returns.keys()),
    oneWayPorts: [],
  };
}

/** Of a device that is not there. */
export const nothing: ActualKernel = {
  tunnel: undefined,
  neighbours: new Map(),
  forwarding: new Map(),
  routes: new Map(),
  proxies: new Set(),
  returns: new Map(),
  returnRules: new Set(),
  oneWayPorts: [],
};

function inCIDR(address: string): string {
  return `${address}/${isOfIPv6(address) ? 128 : 32}`;
}

/** A node's on the tunnel: without that of IPv6 where there is none. */
function tunnelAddresses({ address, address6 }: { address: string; address6: string }): string[] {
  return address6 === '' ? [address] : [address, address6];
}

/** Hardware address by address. */
function neighboursOf({ peers }: DesiredKernel): Map<string, string> {
  return new Map(peers.flatMap((peer) => tunnelAddresses(peer).map((address) => [address, peer.mac])));
}

function neighbourCommands(desired: DesiredKernel, { neighbours }: ActualKernel): string[] {
  const { device } = desired.via;
  const wanted = neighboursOf(desired);
  return [
    ...[...neighbours.keys()]
      .filter((address) => !wanted.has(address))
      .map((address) => `neigh del ${address} dev ${device}`),
    ...[...wanted]
      .filter(([address, mac]) => neighbours.get(address) !== mac)
      .map(([address, mac]) => `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`),
  ];
}

function forwardingCommands({ peers, via: { device } }: DesiredKernel, { forwarding }: ActualKernel): string[] {
  const wanted = new Map(peers.map(({ mac, underlay }) => [mac, underlay]));
  return [
    ...[...forwarding.keys()].filter((mac) => !wanted.has(mac)).map((mac) => `fdb del ${mac} dev ${device} self`),
    ...[...wanted]
      .filter(([mac, underlay]) => forwarding.get(mac) !== underlay)
      .map(([mac, underlay]) => `fdb replace ${mac} dev ${device} dst ${underlay} self permanent`),
  ];
}

const routesKnown = new WeakMap<DesiredKernel, ReadonlyMap<string, string>>();

/** Gateway by destination, '' of a route without. */
function routesOf(desired: DesiredKernel): ReadonlyMap<string, string> {
  let routes = routesKnown.get(desired);
  if (routes === undefined) {
    routes = allRoutes(desired);
    routesKnown.set(desired, routes);
  }
  return routes;
}

function allRoutes({ peers, remote, virtual }: DesiredKernel): Map<string, string> {
  const routes = new Map<string, string>(peers.flatMap(tunnelAddresses).map((address) => [address, '']));
  for (const address of virtual) routes.set(address, '');
  for (const [address, gateway] of remote) routes.set(address, gateway);
  return routes;
}

function routeCommands(desired: DesiredKernel, { routes }: ActualKernel): string[] {
  const { device } = desired.via;
  const wanted = routesOf(desired);
  const lines: string[] = [];
  for (const address of routes.keys()) {
    if (!wanted.has(address)) lines.push(`route del ${inCIDR(address)} dev ${device}`);
  }
  for (const [address, gateway] of lacking(routes, wanted)) {
    const via = gateway === '' ? '' : ` via ${gateway}`;
    lines.push(`route replace ${inCIDR(address)}${via} dev ${device}${via === '' ? '' : ' onlink'}`);
  }
  return lines;
}

function proxyCommands({ proxies: wanted }: DesiredKernel, { proxies }: ActualKernel): string[] {
  return [
    ...[...proxies].filter((proxy) => !wanted.has(proxy)).map((proxy) => `neigh del proxy ${proxy}`),
    ...[...wanted].filter((proxy) => !proxies.has(proxy)).map((proxy) => `neigh add proxy ${proxy}`),
  ];
}

function returnCommands({ returns: wanted, via: { device } }: DesiredKernel, { returns }: ActualKernel): string[] {
  return [
    ...[...returns.keys()]
      .filter((table) => !wanted.has(table))
      .map((table) => `route del default dev ${device} table ${table}`),
    ...[...wanted]
      .filter(([table, gateway]) => returns.get(table) !== gateway)
      .map(([table, gateway]) => `route replace default via ${gateway} dev ${device} onlink table ${table}`),
  ];
}

/** A mark is the number of its table. */
function returnRuleCommands({ returns }: DesiredKernel, { returnRules }: ActualKernel): string[] {
  const rule = (action: string, table: number) =>
    `rule ${action} pref ${returnPriority} fwmark ${table}/${markMask + 0xffff} lookup ${table}`;
  return [
    ...[...returnRules].filter((table) => !returns.has(table)).map((table) => rule('del', table)),
    ...[...returns.keys()].filter((table) => !returnRules.has(table)).map((table) => rule('add', table)),
  ];
}

/** A service may call itself: what a task sends to its virtual IP comes back to the port that it came from. */
function hairpins({ oneWayPorts }: ActualKernel): string[] {
  return oneWayPorts.map((port) => `link set dev ${port} hairpin on`);
}
