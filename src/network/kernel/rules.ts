import { formatBlock } from '../../model/ipv4.js';
import { networkBlock } from '../../model/network-block.js';
import type { Network, NetworkService } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { bridgeOf, markMask, passMark, tunnelAddress, tunnelDevice } from './names.js';
import type { RuleChain, Ruleset } from './ruleset.js';

const hex = (number: number) => `0x${number.toString(16).padStart(8, '0')}`;
const pass = `meta mark set meta mark & ${hex(~markMask >>> 0)} | ${hex(passMark)} accept`;

/**
 * The rules of a node that carries these networks. A packet's way does not grow longer with the number of networks or services: what there
 * are of them is elements of maps and chains that one lookup leads to.
 */
export function rulesFor(items: NetworkItems, nodeID: string, carried: readonly Network[]): Ruleset {
  const chains = new Map<string, RuleChain>(Object.entries(baseChains));
  const sets = {
    /** Which bridges and virtual IPs lead to which service. */
    virtual: { kind: 'map', type: 'ifname . ipv4_addr : verdict', elements: new Map<string, string>() },
    virtual_ips: { kind: 'set', type: 'ipv4_addr', elements: new Map<string, string>() },
    /** Within a network: from a bridge or the tunnel to one of them. */
    within: { kind: 'map', type: 'ifname . ifname : verdict', elements: new Map<string, string>() },
    /** Leaving the subnet of a bridge by a virtual or published address. */
    leaving: { kind: 'map', type: 'ifname : verdict', elements: new Map<string, string>() },
    itself: { kind: 'set', type: 'ipv4_addr . ipv4_addr', elements: new Map<string, string>() },
    nodes: { kind: 'set', type: 'ipv4_addr', elements: new Map<string, string>() },
    ours: { kind: 'set', type: 'ifname', elements: new Map([[quoted(tunnelDevice), '']]) },
    subnets: { kind: 'set', type: 'ipv4_addr; flags interval', elements: new Map<string, string>() },
    internal: { kind: 'set', type: 'ipv4_addr; flags interval', elements: new Map<string, string>() },
  } as const;

  for (const peer of items.peers.values()) {
    sets.nodes.elements.set(peer.Address, '').set(tunnelAddress(peer.Number), '');
  }
  const byID = new Map(carried.map((network) => [network.ID, network]));
  for (const network of carried) {
    const block = networkBlock(network);
    if (block === undefined) continue;
    const subnet = formatBlock(block.subnet);
    const device = quoted(bridgeOf(network.Number));
    const tunnel = quoted(tunnelDevice);
    sets.ours.elements.set(device, '');
    sets.subnets.elements.set(subnet, '');
    if (network.Spec?.Internal) sets.internal.elements.set(subnet, '');
    const chain = `net_${network.Number}`;
    // A jump, and no goto: what the chain does not pass comes back, to be dropped.
    for (const way of [`${device} . ${device}`, `${device} . ${tunnel}`, `${tunnel} . ${device}`]) {
      sets.within.elements.set(way, `jump ${chain}`);
    }
    chains.set(chain, { hook: '', rules: [`ip saddr ${subnet} ip daddr ${subnet} ${pass}`] });
    const leaving = `leave_${network.Number}`;
    sets.leaving.elements.set(device, `jump ${leaving}`);
    chains.set(leaving, { hook: '', rules: [`ip daddr != ${subnet} ct status dnat masquerade`] });
  }
  for (const service of items.services.values()) {
    const network = byID.get(service.NetworkID);
    if (network === undefined) continue;
    for (const { NodeID, Address } of service.Endpoints) {
      if (NodeID === nodeID) sets.itself.elements.set(`${Address} . ${Address}`, '');
    }
    if (service.VirtualIP === '') continue;
    const chain = `vip_${network.Number}_${service.ServiceID}`;
    sets.virtual.elements.set(`${quoted(bridgeOf(network.Number))} . ${service.VirtualIP}`, `goto ${chain}`);
    sets.virtual_ips.elements.set(service.VirtualIP, '');
    chains.set(chain, { hook: '', rules: balance(service) });
  }
  return { sets: new Map(Object.entries(sets)), chains };
}

/** In turn over the tasks that serve; with none the packet goes on, to be refused. */
function balance({ Endpoints, Sticky }: NetworkService): string[] {
  const serving = Endpoints.filter((endpoint) => endpoint.Serving);
  if (serving.length === 0) return [];
  const places = serving.map(({ Address }, at) => `${at} : ${Address}`).join(', ');
  const pick = Sticky ? `jhash ip saddr mod ${serving.length}` : `numgen inc mod ${serving.length}`;
  return [`dnat to ${pick} map { ${places} }`];
}

const quoted = (name: string) => `"${name}"`;

/**
 * What is the same on every node. `forward` decides once over everything that goes in or out of ours; Docker's own chains, which come
 * after, let through what carries our mark by one rule in DOCKER-USER. Refusing comes before accepting: a virtual IP without tasks
 * is answered at once.
 */
const baseChains: Readonly<Record<string, RuleChain>> = {
  prerouting: {
    hook: 'type nat hook prerouting priority -110; policy accept',
    rules: ['iifname . ip daddr vmap @virtual'],
  },
  forward: {
    hook: 'type filter hook forward priority -10; policy accept',
    rules: [
      'iifname != @ours oifname != @ours accept',
      'ip daddr @virtual_ips meta l4proto tcp reject with tcp reset',
      'ip daddr @virtual_ips reject',
      `ct direction reply ct state established,related ${pass}`,
      `ct state related ${pass}`,
      'iifname . oifname vmap @within',
      `iifname != @ours ct status dnat oifname @ours ${pass}`,
      'oifname @ours drop',
      `iifname "${tunnelDevice}" drop`,
      'ip saddr @internal drop',
    ],
  },
  /** The mark has done its work, and is not for others to see. */
  unmark: {
    hook: 'type filter hook postrouting priority 200; policy accept',
    rules: [`meta mark & ${hex(markMask)} == ${hex(passMark)} meta mark set 0x0`],
  },
  postrouting: {
    hook: 'type nat hook postrouting priority 90; policy accept',
    rules: [
      'ip saddr . ip daddr @itself masquerade',
      `ct status dnat ip saddr @nodes oifname "${tunnelDevice}" masquerade`,
      'ct status dnat ip saddr 127.0.0.0/8 oifname @ours masquerade',
      'ip saddr @subnets oifname != @ours masquerade',
      'iifname vmap @leaving',
    ],
  },
};
