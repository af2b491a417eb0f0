import { isEncrypted } from '../../model/encrypted-networks.js';
import { type Family, formatBlock } from '../../model/ip.js';
import { segmentsOf } from '../../model/network-block.js';
import type { Network, NetworkService } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { stickyPick } from './mesh.js';
import {
  bridgeOf,
  encryptedTunnel,
  markMask,
  passMark,
  plainTunnel,
  tunnelDevice,
  tunnelOfNetwork,
  virtualFlag,
} from './names.js';
import { hex, type RuleChain } from './ruleset.js';

// What the tables of both families have alike: the cluster's networks and virtual IPs.

const pass = `meta mark set meta mark & ${hex(~markMask >>> 0)} | ${hex(passMark)} accept`;

export const quoted = (name: string) => `"${name}"`;

const tunnels = [plainTunnel, encryptedTunnel].map(({ device }) => quoted(device));
/** In the order in which nft shows them. */
export const anyTunnel = `{ ${tunnels.join(', ')} }`;

/** Connections that our rules led somewhere, by flags. */
export const ours = (flags: number, mask: number) => `ct mark & ${hex(markMask + mask)} == ${hex(passMark + flags)}`;

/** nft's words for a family. */
export const wordsOf = {
  4: { ip: 'ip', address: 'ipv4_addr' },
  6: { ip: 'ip6', address: 'ipv6_addr' },
} as const;

/** A network's places in one family: its bridges, each with its subnet. */
function placesOf(network: Network, family: Family) {
  return segmentsOf(network).flatMap(({ ipv4, ipv6 }, segment) => {
    const block = family === 4 ? ipv4 : ipv6;
    const device = quoted(bridgeOf(network.Number, segment));
    return block === undefined ? [] : [{ device, subnet: formatBlock(block.subnet) }];
  });
}

/** One of them, or an anonymous set. */
function anyOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : `{ ${values.join(', ')} }`;
}

/** Sets, maps and chains of the networks that this node carries, as far as they have the family. */
export function networkParts(items: NetworkItems, nodeID: string, carried: readonly Network[], family: Family) {
  const { ip, address } = wordsOf[family];
  const chains = new Map<string, RuleChain>();
  const sets = {
    /** Which bridges and virtual IPs lead to which service. */
    virtual: { kind: 'map', type: `type ifname . ${address} : verdict`, elements: new Map<string, string>() },
    virtual_ips: { kind: 'set', type: `type ${address}`, elements: new Map<string, string>() },
    /** Within a network: from one of its bridges or the tunnel to another of them. */
    within: { kind: 'map', type: 'type ifname . ifname : verdict', elements: new Map<string, string>() },
    /** Leaving the subnets of a network by a virtual or published address. */
    leaving: { kind: 'map', type: 'type ifname : verdict', elements: new Map<string, string>() },
    itself: { kind: 'set', type: `type ${address} . ${address}`, elements: new Map<string, string>() },
    ours: { kind: 'set', type: 'type ifname', elements: new Map(tunnels.map((tunnel) => [tunnel, ''])) },
    /** Bridges of encrypted networks. */
    encrypted: { kind: 'set', type: 'type ifname', elements: new Map<string, string>() },
    subnets: { kind: 'set', type: `type ${address}; flags interval`, elements: new Map<string, string>() },
    internal: { kind: 'set', type: `type ${address}; flags interval`, elements: new Map<string, string>() },
  } as const;

  const byID = new Map(carried.map((network) => [network.ID, { network, places: placesOf(network, family) }]));
  for (const { network, places } of byID.values()) {
    if (places.length === 0) continue;
    const subnets = anyOf(places.map(({ subnet }) => subnet));
    const chain = `net_${network.Number}`;
    const leaving = `leave_${network.Number}`;
    const tunnel = quoted(tunnelOfNetwork(network).device);
    for (const { device, subnet } of places) {
      sets.ours.elements.set(device, '');
      if (isEncrypted(network)) sets.encrypted.elements.set(device, '');
      sets.subnets.elements.set(subnet, '');
      if (network.Spec?.Internal) sets.internal.elements.set(subnet, '');
      // A jump, and no goto: what the chain does not pass comes back, to be dropped.
      const ways = [...places.map((other) => `${device} . ${other.device}`), `${device} . ${tunnel}`];
      for (const way of [...ways, `${tunnel} . ${device}`]) sets.within.elements.set(way, `jump ${chain}`);
      sets.leaving.elements.set(device, `jump ${leaving}`);
    }
    const within = `${ip} saddr ${subnets} ${ip} daddr ${subnets} ${pass}`;
    chains.set(chain, { hook: '', rules: family === 4 ? [within] : [within, neighbours] });
    chains.set(leaving, { hook: '', rules: [`${ip} daddr != ${subnets} ct status dnat masquerade`] });
  }
  for (const service of items.services.values()) {
    const { network, places = [] } = byID.get(service.NetworkID) ?? {};
    if (network === undefined || places.length === 0) continue;
    for (const endpoint of service.Endpoints) {
      const own = family === 4 ? endpoint.Address : endpoint.Address6;
      if (endpoint.NodeID === nodeID && own !== '') sets.itself.elements.set(`${own} . ${own}`, '');
    }
    const virtual = family === 4 ? service.VirtualIP : service.VirtualIP6;
    if (virtual === '') continue;
    const chain = `vip_${network.Number}_${service.ServiceID}`;
    for (const { device } of places) sets.virtual.elements.set(`${device} . ${virtual}`, `goto ${chain}`);
    sets.virtual_ips.elements.set(virtual, '');
    chains.set(chain, { hook: '', rules: balance(service, family) });
  }
  return { sets, chains };
}

/** Between containers of one bridge: ARP, which these are for IPv6, passes no rules. From elsewhere nobody heeds them (RFC 4861, 7.1). */
const neighbours = `icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ${pass}`;

/** Of services as they are: one that changes is another object. */
const balancing = { 4: new WeakMap<NetworkService, string[]>(), 6: new WeakMap<NetworkService, string[]>() };

function balance(service: NetworkService, family: Family): string[] {
  let rules = balancing[family].get(service);
  if (rules === undefined) {
    rules = balancingRules(service, family);
    balancing[family].set(service, rules);
  }
  return rules;
}

/** In turn over the tasks that serve; with none the packet goes on, to be refused. */
function balancingRules({ Endpoints, Sticky }: NetworkService, family: Family): string[] {
  const serving = Endpoints.filter(({ Serving, Address6 }) => Serving && (family === 4 || Address6 !== ''));
  if (serving.length === 0) return [];
  const places = serving.map(({ Address, Address6 }, at) => `${at} : ${family === 4 ? Address : Address6}`).join(', ');
  const pick = Sticky ? stickyPick(serving.length, family) : `numgen inc mod ${serving.length}`;
  return [`ct mark set ${hex(passMark + virtualFlag)} dnat to ${pick} map { ${places} }`];
}

/**
 * `forward` decides once over everything that goes in or out of ours; Docker's own chains, which come after, let through what carries our mark
 * by one rule in DOCKER-USER. Refusing comes before accepting: a virtual IP without tasks is answered at once.
 */
export function sharedChains(family: Family) {
  const { ip } = wordsOf[family];
  return {
    forward: {
      hook: 'type filter hook forward priority -10; policy accept',
      rules: [
        `${ours(0, virtualFlag)} ${pass}`,
        // What is not for a published port goes encrypted between nodes, or not at all.
        `iifname "${tunnelDevice}" oifname @encrypted drop`,
        `iifname @encrypted oifname "${tunnelDevice}" drop`,
        'iifname != @ours oifname != @ours accept',
        `${ip} daddr @virtual_ips meta l4proto tcp reject with tcp reset`,
        `${ip} daddr @virtual_ips reject`,
        `ct direction reply ct state established,related ${pass}`,
        `ct state related ${pass}`,
        'iifname . oifname vmap @within',
        `iifname != @ours ct status dnat oifname @ours ${pass}`,
        'oifname @ours drop',
        `iifname ${anyTunnel} drop`,
        `${ip} saddr @internal drop`,
      ],
    },
    /** Clients and tasks outside our networks do not know what fits into the tunnel. */
    clamp: {
      hook: 'type filter hook postrouting priority -150; policy accept',
      rules: [`oifname ${anyTunnel} tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu`],
    },
    /** The mark has done its work, and is not for others to see. */
    unmark: {
      hook: 'type filter hook postrouting priority 200; policy accept',
      rules: [`meta mark & ${hex(markMask)} == ${hex(passMark)} meta mark set 0x0`],
    },
  };
}

export const preroutingHook = 'type nat hook prerouting priority -110; policy accept';
export const postroutingHook = 'type nat hook postrouting priority 90; policy accept';
export const virtualRule = (family: Family) => `iifname . ${wordsOf[family].ip} daddr vmap @virtual`;
