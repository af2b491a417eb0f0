import type { DesiredKernel } from './desired.js';
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
    return { ip: [...gone, ...returnRuleCommands(desired, actual)], bridge: hairpins(actual) };
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
    now = { ...nothing, oneWayPorts: actual.oneWayPorts, returnRules: actual.returnRules };
  } else if (found.mtu !== tunnel.mtu) ip.push(`link set ${device} mtu ${tunnel.mtu}`);
  for (const address of now.tunnel?.addresses ?? []) {
    if (address !== `${tunnel.address}/32`) ip.push(`addr del ${address} dev ${device}`);
  }
  if (!now.tunnel?.addresses.includes(`${tunnel.address}/32`)) {
    ip.push(`addr add ${tunnel.address}/32 dev ${device}`);
  }
  // A device that was down has lost its routes.
  if (!now.tunnel?.isUp) {
    ip.push(`link set ${device} up`);
    now = { ...now, routes: new Map(), returns: new Map() };
  }
  ip.push(...neighbourCommands(desired, now), ...routeCommands(desired, now));
  ip.push(...returnCommands(desired, now), ...returnRuleCommands(desired, now));
  return { ip, bridge: [...forwardingCommands(desired, now), ...hairpins(now)] };
}

/** What is there once `commandsFor` of the same was carried out; with a tunnel. */
export function carriedOut(desired: DesiredKernel, actual: ActualKernel): ActualKernel {
  const { tunnel, peers, returns } = desired;
  return {
    ...actual,
    tunnel: tunnel && { ...tunnel, isUp: true, addresses: [`${tunnel.address}/32`] },
    neighbours: new Map(peers.map(({ address, mac }) => [address, mac])),
    forwarding: new Map(peers.map(({ mac, underlay }) => [mac, underlay])),
    routes: routesOf(desired),
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
  returns: new Map(),
  returnRules: new Set(),
  oneWayPorts: [],
};

function neighbourCommands({ peers, via: { device } }: DesiredKernel, { neighbours }: ActualKernel): string[] {
  const wanted = new Map(peers.map(({ address, mac }) => [address, mac]));
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

/** Gateway by destination, '' of a route without. */
function routesOf({ peers, remote, virtual }: DesiredKernel): Map<string, string> {
  const routes = new Map<string, string>(peers.map(({ address }) => [address, '']));
  for (const address of virtual) routes.set(address, '');
  for (const [address, gateway] of remote) routes.set(address, gateway);
  return routes;
}

function routeCommands(desired: DesiredKernel, { routes }: ActualKernel): string[] {
  const { device } = desired.via;
  const wanted = routesOf(desired);
  return [
    ...[...routes.keys()]
      .filter((address) => !wanted.has(address))
      .map((address) => `route del ${address}/32 dev ${device}`),
    ...[...wanted]
      .filter(([address, gateway]) => routes.get(address) !== gateway)
      .map(([address, gateway]) =>
        gateway === ''
          ? `route replace ${address}/32 dev ${device}`
          : `route replace ${address}/32 via ${gateway} dev ${device} onlink`,
      ),
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
