import { hasIPv6 } from '../../model/network-block.js';
import type { Network, NetworkPeer } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { encryptedPort } from './encryption/peers.js';
import { startingParts } from './first-answer.js';
import { endingParts } from './last-answer.js';
import { type Mesh, meshParts } from './mesh.js';
import {
  encryptedTunnel,
  hiddenFlag,
  numberMask,
  plainTunnel,
  tunnelAddress,
  tunnelDevice,
  virtualFlag,
} from './names.js';
import {
  anyTunnel,
  networkParts,
  ours,
  postroutingHook,
  preroutingHook,
  sharedChains,
  virtualRule,
  wordsOf,
} from './network-rules.js';
import { hex, type RuleChain, type RuleSet, type Ruleset } from './ruleset.js';

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
  const parts = networkParts(items, nodeID, carried, 4);
  const chains = new Map<string, RuleChain>([
    ...Object.entries(baseChains(self, mesh?.publishAddress)),
    ...(encrypts && self !== undefined ? sealChains(encryptedPort(self)) : []),
    ...parts.chains,
  ]);
  const nodes = new Map<string, string>();
  for (const peer of items.peers.values()) {
    const own = [plainTunnel, encryptedTunnel].map((tunnel) => tunnelAddress(peer.Number, tunnel));
    for (const address of [peer.Address, ...own]) nodes.set(address, '');
  }
  const sets = new Map<string, RuleSet>(Object.entries(parts.sets));
  sets.set('nodes', { kind: 'set', type: 'type ipv4_addr', elements: nodes });
  if (mesh !== undefined) {
    const { chains: meshChains, ...more } = meshParts(mesh, { nodeID, peers: items.peers });
    for (const [name, chain] of meshChains) chains.set(name, chain);
    for (const [name, set] of Object.entries(meshSets(more))) sets.set(name, set);
  }
  return { family: 'ip', sets, chains };
}

/** The same of IPv6, in which no ports are published; undefined of a node that carries no network with it. */
export function rules6For(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mesh: Mesh | undefined,
): Ruleset | undefined {
  if (!carried.some(hasIPv6)) return undefined;
  const { ip, address: type } = wordsOf[6];
  const parts = networkParts(items, nodeID, carried, 6);
  const sets = new Map<string, RuleSet>(Object.entries(parts.sets));
  const chains = new Map<string, RuleChain>([
    ...Object.entries(sharedChains(6)),
    ['prerouting', { hook: preroutingHook, rules: [virtualRule(6)] }],
    [
      'postrouting',
      {
        hook: postroutingHook,
        rules: [
          `${ip} saddr . ${ip} daddr @itself masquerade`,
          `${ip} saddr @subnets oifname != @ours masquerade`,
          'iifname vmap @leaving',
        ],
      },
    ],
    ...parts.chains,
  ]);
  if (mesh !== undefined) {
    const [starting, ending] = [startingParts(mesh.starting, 6), endingParts(mesh.ending, 6)];
    for (const [name, chain] of [...starting.chains, ...ending.chains]) chains.set(name, chain);
    sets.set('starting_addresses', { kind: 'set', type: `type ${type}`, elements: starting.addresses });
    sets.set('ending_addresses', { kind: 'set', type: `type ${type}`, elements: ending.addresses });
  }
  return { family: 'ip6', sets, chains };
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

/** What is the same whatever there is of networks and services. `publishAddress` is undefined where no ports are published. */
function baseChains(self: NetworkPeer | undefined, publishAddress: string | undefined): Record<string, RuleChain> {
  return {
    ...(publishAddress === undefined ? plainChains : meshChains(self, publishAddress)),
    ...sharedChains(4),
    postrouting: {
      hook: postroutingHook,
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

const plainChains: Record<string, RuleChain> = { prerouting: { hook: preroutingHook, rules: [virtualRule(4)] } };

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
        virtualRule(4),
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
