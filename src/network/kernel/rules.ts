import { isEncrypted } from '../../model/encrypted-networks.js';
import { formatBlock } from '../../model/ipv4.js';
import { networkBlock } from '../../model/network-block.js';
import type { Network, NetworkPeer, NetworkService } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { encryptedPort } from './encryption/peers.js';
import { type Mesh, meshParts, stickyPick } from './mesh.js';
import {
  bridgeOf,
  encryptedTunnel,
  hiddenFlag,
  markMask,
  numberMask,
  passMark,
  plainTunnel,
  tunnelAddress,
  tunnelDevice,
  tunnelOfNetwork,
  virtualFlag,
} from './names.js';
import { hex, type RuleChain, type RuleSet, type Ruleset } from './ruleset.js';

const pass = `meta mark set meta mark & ${hex(~markMask >>> 0)} | ${hex(passMark)} accept`;

/**
 * The rules of a node that carries these networks and publishes these ports. A packet's way does not grow longer with the number of
 * networks or services: what there are of them is elements of maps and chains that one lookup leads to. Without a `mesh` nothing is in them
 * that only published ports need, which not every kernel and nft has. `encrypts`: the tunnel of encrypted networks is in use.
 */
export function rulesFor(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mesh: Mesh | undefined,
  encrypts = false,
): Ruleset {
  const self = items.peers.get(nodeID);
  const chains = new Map(Object.entries(baseChains(self, mesh?.publishAddress)));
  if (encrypts && self !== undefined)
    for (const [name, chain] of sealChains(encryptedPort(self))) chains.set(name, chain);
  const sets = {
    /** Which bridges and virtual IPs lead to which service. */
    virtual: { kind: 'map', type: 'type ifname . ipv4_addr : verdict', elements: new Map<string, string>() },
    virtual_ips: { kind: 'set', type: 'type ipv4_addr', elements: new Map<string, string>() },
    /** Within a network: from a bridge or the tunnel to one of them. */
    within: { kind: 'map', type: 'type ifname . ifname : verdict', elements: new Map<string, string>() },
    /** Leaving the subnet of a bridge by a virtual or published address. */
    leaving: { kind: 'map', type: 'type ifname : verdict', elements: new Map<string, string>() },
    itself: { kind: 'set', type: 'type ipv4_addr . ipv4_addr', elements: new Map<string, string>() },
    nodes: { kind: 'set', type: 'type ipv4_addr', elements: new Map<string, string>() },
    ours: { kind: 'set', type: 'type ifname', elements: new Map(tunnels.map((tunnel) => [tunnel, ''])) },
    /** Bridges of encrypted networks. */
    encrypted: { kind: 'set', type: 'type ifname', elements: new Map<string, string>() },
    subnets: { kind: 'set', type: 'type ipv4_addr; flags interval', elements: new Map<string, string>() },
    internal: { kind: 'set', type: 'type ipv4_addr; flags interval', elements: new Map<string, string>() },
  } as const;

  for (const peer of items.peers.values()) {
    const own = [plainTunnel, encryptedTunnel].map((tunnel) => tunnelAddress(peer.Number, tunnel));
    for (const address of [peer.Address, ...own]) sets.nodes.elements.set(address, '');
  }
  const byID = new Map(carried.map((network) => [network.ID, network]));
  for (const network of carried) {
    const block = networkBlock(network);
    if (block === undefined) continue;
    const subnet = formatBlock(block.subnet);
    const device = quoted(bridgeOf(network.Number));
    const tunnel = quoted(tunnelOfNetwork(network).device);
    sets.ours.elements.set(device, '');
    if (isEncrypted(network)) sets.encrypted.elements.set(device, '');
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
  const all = new Map<string, RuleSet>(Object.entries(sets));
  if (mesh !== undefined) {
    const { chains: meshChains, ...parts } = meshParts(mesh, { nodeID, peers: items.peers });
    for (const [name, chain] of meshChains) chains.set(name, chain);
    for (const [name, set] of Object.entries(meshSets(parts))) all.set(name, set);
  }
  return { sets: all, chains };
}

function meshSets(parts: Omit<ReturnType<typeof meshParts>, 'chains'>) {
  return {
    /** Published ports. */
    ports: { kind: 'map', type: 'type inet_proto . inet_service : verdict', elements: parts.ports },
    /** Of what comes through the tunnel to this node itself: which task it is for. */
    inside: { kind: 'map', type: 'type inet_proto . inet_service : ipv4_addr . inet_service', elements: parts.inside },
    /** Through which node it came. */
    marks: { kind: 'map', type: 'type ether_addr : mark', elements: parts.marks },
    zones: { kind: 'map', type: 'typeof ether saddr : ct zone', elements: parts.zones },
    plain: { kind: 'set', type: 'type ipv4_addr . inet_service', elements: parts.plain },
    engine: { kind: 'set', type: 'type ifname', elements: parts.engine },
    ending_ports: { kind: 'set', type: 'type ipv4_addr . inet_service', elements: parts.ending.ports },
    ending_addresses: { kind: 'set', type: 'type ipv4_addr', elements: parts.ending.addresses },
    starting_ports: { kind: 'set', type: 'type ipv4_addr . inet_service', elements: parts.starting.ports },
    starting_addresses: { kind: 'set', type: 'type ipv4_addr', elements: parts.starting.addresses },
  } as const;
}

/** In turn over the tasks that serve; with none the packet goes on, to be refused. */
function balance({ Endpoints, Sticky }: NetworkService): string[] {
  const serving = Endpoints.filter((endpoint) => endpoint.Serving);
  if (serving.length === 0) return [];
  const places = serving.map(({ Address }, at) => `${at} : ${Address}`).join(', ');
  const pick = Sticky ? stickyPick(serving.length) : `numgen inc mod ${serving.length}`;
  return [`ct mark set ${hex(passMark + virtualFlag)} dnat to ${pick} map { ${places} }`];
}

const quoted = (name: string) => `"${name}"`;
const tunnels = [plainTunnel, encryptedTunnel].map(({ device }) => quoted(device));
/** In the order in which nft shows them. */
const anyTunnel = `{ ${tunnels.join(', ')} }`;

const ours = (flags: number, mask: number) => `ct mark & ${hex(markMask + mask)} == ${hex(passMark + flags)}`;
/** A client came to another node, and its connection through the tunnel. */
const cameThroughPeer = `ct direction reply ${ours(0, virtualFlag)} ct mark & ${hex(numberMask)} != 0 meta mark set ct mark`;

/**
 * What the kernel's IPsec sees to (encryption/program.ts), once more: should somebody remove its policies, nothing goes through the tunnel of
 * encrypted networks until they are back.
 */
function sealChains(port: number): [string, RuleChain][] {
  const arriving = 'type filter hook input priority -300; policy accept';
  const leaving = 'type filter hook postrouting priority -300; policy accept';
  return [
    ['sealed_arriving', { hook: arriving, rules: [`udp dport ${port} meta ipsec missing drop`] }],
    ['sealed_leaving', { hook: leaving, rules: [`udp dport ${port} rt ipsec missing drop`] }],
  ];
}

/**
 * What is the same whatever there is of networks and services. `forward` decides once over everything that goes in or out of ours;
 * Docker's own chains, which come after, let through what carries our mark by one rule in DOCKER-USER. Refusing comes before accepting: a
 * virtual IP without tasks is answered at once. `publishAddress` is undefined where no ports are published.
 */
function baseChains(self: NetworkPeer | undefined, publishAddress: string | undefined): Record<string, RuleChain> {
  return {
    ...(publishAddress === undefined ? plainChains : meshChains(self, publishAddress)),
    forward: {
      hook: 'type filter hook forward priority -10; policy accept',
      rules: [
        `${ours(0, virtualFlag)} ${pass}`,
        // What is not for a published port goes encrypted between nodes, or not at all.
        `iifname "${tunnelDevice}" oifname @encrypted drop`,
        `iifname @encrypted oifname "${tunnelDevice}" drop`,
        'iifname != @ours oifname != @ours accept',
        'ip daddr @virtual_ips meta l4proto tcp reject with tcp reset',
        'ip daddr @virtual_ips reject',
        `ct direction reply ct state established,related ${pass}`,
        `ct state related ${pass}`,
        'iifname . oifname vmap @within',
        `iifname != @ours ct status dnat oifname @ours ${pass}`,
        'oifname @ours drop',
        `iifname ${anyTunnel} drop`,
        'ip saddr @internal drop',
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
    postrouting: {
      hook: 'type nat hook postrouting priority 90; policy accept',
      rules: [
        ...(publishAddress === undefined
          ? []
          : [
              `${ours(hiddenFlag, hiddenFlag)} masquerade`,
              `${ours(0, virtualFlag)} ip daddr . th dport @plain masquerade`,
            ]),
        'ip saddr . ip daddr @itself masquerade',
        `ct status dnat ip saddr @nodes oifname ${anyTunnel} masquerade`,
        'ip saddr @subnets oifname != @ours masquerade',
        'iifname vmap @leaving',
      ],
    },
  };
}

const preroutingHook = 'type nat hook prerouting priority -110; policy accept';
const virtualRule = 'iifname . ip daddr vmap @virtual';
const plainChains: Record<string, RuleChain> = { prerouting: { hook: preroutingHook, rules: [virtualRule] } };

/** Where packets are told apart by the node through which they came, and led to published ports. */
function meshChains(self: NetworkPeer | undefined, publishAddress: string): Record<string, RuleChain> {
  const tunnelled = `iifname "${tunnelDevice}" ip daddr ${tunnelAddress(self?.Number ?? 0)}`;
  const tunnelPort = self === undefined ? 'udp dport 0' : `udp dport { ${self.DataPathPort}, ${encryptedPort(self)} }`;
  const published = publishAddress === '' ? 'fib daddr type local' : `ip daddr ${publishAddress}`;
  return {
    /** One client may come to one task through two nodes, from one port. */
    apart: {
      hook: 'type filter hook prerouting priority -300; policy accept',
      rules: [
        `${tunnelled} ct original zone set ether saddr map @zones`,
        // One packet's flow for each connection inside would fill the table of connections.
        `ip saddr @nodes ${tunnelPort} notrack`,
      ],
    },
    untracked: {
      hook: 'type filter hook output priority -300; policy accept',
      rules: [`ip daddr @nodes ${tunnelPort} notrack`],
    },
    arriving: {
      hook: 'type filter hook prerouting priority -150; policy accept',
      rules: [`${tunnelled} ct direction original ct state new ct mark set ether saddr map @marks`, cameThroughPeer],
    },
    /** What this node itself answers: a task on its own network, or ICMP for a task that is gone. */
    answering: {
      hook: 'type route hook output priority -150; policy accept',
      rules: [cameThroughPeer],
    },
    prerouting: {
      hook: preroutingHook,
      rules: [
        virtualRule,
        `${tunnelled} dnat ip to meta l4proto . th dport map @inside`,
        `iifname ${anyTunnel} accept`,
        `iifname != @engine ${published} meta l4proto . th dport vmap @ports`,
      ],
    },
    /** The node's own clients; those of 127.0.0.1 have an address that leads nowhere else, and go through user space. */
    output: {
      hook: 'type nat hook output priority -110; policy accept',
      rules: [`ip daddr != 127.0.0.0/8 ${published} meta l4proto . th dport vmap @ports`],
    },
  };
}
