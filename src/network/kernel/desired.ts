import { contains, parseIP } from '../../model/ip.js';
import { hasIPv6, segmentsOf } from '../../model/network-block.js';
import type { Network, NetworkPeer } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import {
  bridgeOf,
  bridgesOfNetwork,
  encryptedTunnel,
  plainTunnel,
  returnTable,
  type Tunnel,
  tunnelAddress,
  tunnelAddress6,
  tunnelMAC,
  tunnelOfNetwork,
} from './names.js';

const ip_bytes = 20;
/** What VXLAN adds to a packet besides (RFC 7348: 8, UDP 8, Ethernet 14). */
const vxlan_bytes = 30;
/** What ESP adds before and behind (RFC 4303, RFC 4106): its header 8, the nonce 8; the check value 16. */
const esp_bytes = 32;
/** With what is encrypted: how long the padding is, and what follows. All of it ends on 32 bits. */
const espTrailer_bytes = 2;
const espAlignment_bytes = 4;
const underlayMTU_default = 1500;

/** How large a packet through the tunnel may be, when one of the machine's own network may be so large. */
export function tunnelMTU(tunnel: Tunnel, underlayMTU = underlayMTU_default): number {
  if (tunnel === plainTunnel) return underlayMTU - ip_bytes - vxlan_bytes;
  const encrypted_bytes = underlayMTU - ip_bytes - esp_bytes;
  return encrypted_bytes - (encrypted_bytes % espAlignment_bytes) - espTrailer_bytes - vxlan_bytes;
}

/** Networks of which this node has all bridges, in order of their number. */
export function carriedNetworks({ networks }: NetworkItems, bridges: readonly string[]): Network[] {
  return [...networks.values()]
    .filter((network) => bridgesOfNetwork(network).every((bridge) => bridges.includes(bridge)))
    .sort((a, b) => a.Number - b.Number);
}

/** What the node's kernel shall have of the cluster's networks, besides the rules. All lists are in a fixed order. */
export interface DesiredKernel {
  /** The device that this is about. */
  via: Tunnel;
  /** Addresses of IPv6 are '' as long as no network that goes through it has that. */
  tunnel: { address: string; address6: string; mac: string; local: string; port: number; mtu: number } | undefined;
  peers: { address: string; address6: string; mac: string; underlay: string }[];
  /** Addresses reached through the tunnel, one route each, with the tunnel address of the node that has them. */
  remote: ReadonlyMap<string, string>;
  /** Virtual IPs: routed to the tunnel device, so that bridges answer ARP for them; rules send their packets elsewhere. */
  virtual: ReadonlySet<string>;
  /** `<address> dev <bridge>` for which bridges answer neighbours of IPv6: the kernel does not by itself, as it does ARP. */
  proxies: ReadonlySet<string>;
  bridges: string[];
  /** Those of them that have IPv6. */
  bridges6: string[];
  /** Ways back: tunnel address by routing table, of the nodes through which a client may have come to a task here. */
  returns: ReadonlyMap<number, string>;
}

/**
 * The part of it that this node takes: everything that it must reach through the tunnel of networks that are not encrypted, and virtual IPs of
 * those that it carries; and the bridges of all. `hasMesh`: ports are published. `knowsIPv6`: so does the kernel.
 */
export function desiredKernel(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mtu: number,
  hasMesh: boolean,
  knowsIPv6: boolean,
): DesiredKernel {
  const self = items.peers.get(nodeID);
  const isNeeded = self !== undefined && (items.networks.size > 0 || hasMesh);
  const peers = [...items.peers.values()].filter((peer) => peer.ID !== nodeID).sort((a, b) => a.Number - b.Number);
  const via = plainTunnel;
  const isDual = knowsIPv6 && hasDual(items, via);
  const bridges6 = knowsIPv6 ? bridgesOfIPv6(carried) : [];
  return {
    via,
    tunnel: isNeeded ? tunnelOf(self, via, self.DataPathPort, mtu, isDual) : undefined,
    peers: isNeeded ? peers.map((peer) => neighbour(peer, via, isDual)) : [],
    ...(isNeeded ? waysThrough(via, items, nodeID, carried, isDual) : nowhere),
    proxies: isNeeded ? proxiesOn(bridges6, items, nodeID) : new Set(),
    bridges: carried.flatMap(bridgesOfNetwork).sort(),
    bridges6: bridges6.map(({ name }) => name).sort(),
    returns:
      isNeeded && hasMesh
        ? new Map(peers.map((peer) => [returnTable(peer.Number), tunnelAddress(peer.Number)]))
        : new Map(),
  };
}

/** Likewise of the tunnel of encrypted networks, to `peers` alone; without a `port` there shall be none. */
export function desiredEncrypted(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mtu: number,
  { peers, port, knowsIPv6 }: { peers: readonly NetworkPeer[]; port: number | undefined; knowsIPv6: boolean },
): DesiredKernel {
  const self = items.peers.get(nodeID);
  const isNeeded = self !== undefined && port !== undefined;
  const via = encryptedTunnel;
  const isDual = knowsIPv6 && hasDual(items, via);
  return {
    via,
    tunnel: isNeeded ? tunnelOf(self, via, port, mtu, isDual) : undefined,
    peers: isNeeded ? peers.map((peer) => neighbour(peer, via, isDual)) : [],
    ...(isNeeded ? waysThrough(via, items, nodeID, carried, isDual) : nowhere),
    proxies: new Set(),
    bridges: [],
    bridges6: [],
    returns: new Map(),
  };
}

const nowhere: Pick<DesiredKernel, 'remote' | 'virtual'> = { remote: new Map(), virtual: new Set() };

/** Whether a network that goes through the tunnel has IPv6. */
function hasDual({ networks }: NetworkItems, via: Tunnel): boolean {
  return [...networks.values()].some((network) => hasIPv6(network) && tunnelOfNetwork(network) === via);
}

/** Where addresses and virtual IPs of the networks lead that go through the tunnel. */
function waysThrough(
  via: Tunnel,
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  isDual: boolean,
): Pick<DesiredKernel, 'remote' | 'virtual'> {
  const remote = new Map<string, string>();
  const virtual = new Set<string>();
  const carriedIDs = new Set(carried.map(({ ID }) => ID));
  for (const { NetworkID, VirtualIP, VirtualIP6, Endpoints } of items.services.values()) {
    const network = items.networks.get(NetworkID);
    if ((network === undefined ? plainTunnel : tunnelOfNetwork(network)) !== via) continue;
    if (carriedIDs.has(NetworkID)) {
      if (VirtualIP !== '') virtual.add(VirtualIP);
      if (VirtualIP6 !== '' && isDual) virtual.add(VirtualIP6);
    }
    for (const { NodeID, Address, Address6 } of Endpoints) {
      const peer = items.peers.get(NodeID);
      if (NodeID === nodeID || peer === undefined) continue;
      remote.set(Address, tunnelAddress(peer.Number, via));
      if (Address6 !== '' && isDual) remote.set(Address6, tunnelAddress6(peer.Number, via));
    }
  }
  return { remote, virtual };
}

function bridgesOfIPv6(carried: readonly Network[]) {
  return carried.flatMap((network) =>
    segmentsOf(network).flatMap(({ ipv6 }, segment) =>
      ipv6 === undefined
        ? []
        : [{ networkID: network.ID, name: bridgeOf(network.Number, segment), subnet: ipv6.subnet }],
    ),
  );
}

/** What of IPv6 these bridges answer for: what is elsewhere, and virtual IPs. */
function proxiesOn(bridges: ReturnType<typeof bridgesOfIPv6>, items: NetworkItems, nodeID: string): Set<string> {
  const proxies = new Set<string>();
  if (bridges.length === 0) return proxies;
  for (const { NetworkID, VirtualIP6, Endpoints } of items.services.values()) {
    const own = bridges.filter(({ networkID }) => networkID === NetworkID);
    if (own.length === 0) continue;
    const elsewhere = Endpoints.filter(({ NodeID }) => NodeID !== nodeID && items.peers.has(NodeID));
    for (const address of [VirtualIP6, ...elsewhere.map(({ Address6 }) => Address6)]) {
      const number = parseIP(address);
      const bridge = own.find(({ subnet }) => number !== undefined && contains(subnet, number));
      if (bridge !== undefined) proxies.add(`${address} dev ${bridge.name}`);
    }
  }
  return proxies;
}

function tunnelOf(
  peer: NetworkPeer,
  via: Tunnel,
  port: number,
  mtu: number,
  isDual: boolean,
): NonNullable<DesiredKernel['tunnel']> {
  return { ...addressesOf(peer, via, isDual), local: peer.Address, port, mtu };
}

function neighbour(peer: NetworkPeer, via: Tunnel, isDual: boolean): DesiredKernel['peers'][number] {
  return { ...addressesOf(peer, via, isDual), underlay: peer.Address };
}

function addressesOf({ Number: number }: NetworkPeer, via: Tunnel, isDual: boolean) {
  return {
    address: tunnelAddress(number, via),
    address6: isDual ? tunnelAddress6(number, via) : '',
    mac: tunnelMAC(number),
  };
}
