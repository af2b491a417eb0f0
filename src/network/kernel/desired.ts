import type { Network, NetworkPeer } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import {
  bridgeOf,
  encryptedTunnel,
  plainTunnel,
  returnTable,
  type Tunnel,
  tunnelAddress,
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

/** Networks of which this node has the bridge, in order of their number. */
export function carriedNetworks({ networks }: NetworkItems, bridges: readonly string[]): Network[] {
  return [...networks.values()]
    .filter((network) => bridges.includes(bridgeOf(network.Number)))
    .sort((a, b) => a.Number - b.Number);
}

/** What the node's kernel shall have of the cluster's networks, besides the rules. All lists are in a fixed order. */
export interface DesiredKernel {
  /** The device that this is about. */
  via: Tunnel;
  tunnel: { address: string; mac: string; local: string; port: number; mtu: number } | undefined;
  peers: { address: string; mac: string; underlay: string }[];
  /** Addresses reached through the tunnel, `/32` each, with the tunnel address of the node that has them. */
  remote: ReadonlyMap<string, string>;
  /** Virtual IPs: routed to the tunnel device, so that bridges answer ARP for them; rules send their packets elsewhere. */
  virtual: ReadonlySet<string>;
  bridges: string[];
  /** Ways back: tunnel address by routing table, of the nodes through which a client may have come to a task here. */
  returns: ReadonlyMap<number, string>;
}

/**
 * The part of it that this node takes: everything that it must reach through the tunnel of networks that are not encrypted, and virtual IPs of
 * those that it carries; and the bridges of all. `hasMesh`: ports are published.
 */
export function desiredKernel(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mtu: number,
  hasMesh: boolean,
): DesiredKernel {
  const self = items.peers.get(nodeID);
  const isNeeded = self !== undefined && (items.networks.size > 0 || hasMesh);
  const peers = [...items.peers.values()].filter((peer) => peer.ID !== nodeID).sort((a, b) => a.Number - b.Number);
  return {
    via: plainTunnel,
    tunnel: isNeeded ? tunnelOf(self, plainTunnel, self.DataPathPort, mtu) : undefined,
    peers: isNeeded ? peers.map((peer) => neighbour(peer, plainTunnel)) : [],
    ...(isNeeded ? waysThrough(plainTunnel, items, nodeID, carried) : nowhere),
    bridges: carried.map((network) => bridgeOf(network.Number)).sort(),
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
  { peers, port }: { peers: readonly NetworkPeer[]; port: number | undefined },
): DesiredKernel {
  const self = items.peers.get(nodeID);
  const isNeeded = self !== undefined && port !== undefined;
  const via = encryptedTunnel;
  return {
    via,
    tunnel: isNeeded ? tunnelOf(self, via, port, mtu) : undefined,
    peers: isNeeded ? peers.map((peer) => neighbour(peer, via)) : [],
    ...(isNeeded ? waysThrough(via, items, nodeID, carried) : nowhere),
    bridges: [],
    returns: new Map(),
  };
}

const nowhere: Pick<DesiredKernel, 'remote' | 'virtual'> = { remote: new Map(), virtual: new Set() };

/** Where addresses and virtual IPs of the networks lead that go through the tunnel. */
function waysThrough(
  via: Tunnel,
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
): Pick<DesiredKernel, 'remote' | 'virtual'> {
  const remote = new Map<string, string>();
  const virtual = new Set<string>();
  const carriedIDs = new Set(carried.map(({ ID }) => ID));
  for (const { NetworkID, VirtualIP, Endpoints } of items.services.values()) {
    const network = items.networks.get(NetworkID);
    if ((network === undefined ? plainTunnel : tunnelOfNetwork(network)) !== via) continue;
    if (carriedIDs.has(NetworkID) && VirtualIP !== '') virtual.add(VirtualIP);
    for (const { NodeID, Address } of Endpoints) {
      const peer = items.peers.get(NodeID);
      if (NodeID !== nodeID && peer !== undefined) remote.set(Address, tunnelAddress(peer.Number, via));
    }
  }
  return { remote, virtual };
}

function tunnelOf(
  { Number: number, Address }: NetworkPeer,
  via: Tunnel,
  port: number,
  mtu: number,
): NonNullable<DesiredKernel['tunnel']> {
  return { address: tunnelAddress(number, via), mac: tunnelMAC(number), local: Address, port, mtu };
}

function neighbour({ Number: number, Address }: NetworkPeer, via: Tunnel): DesiredKernel['peers'][number] {
  return { address: tunnelAddress(number, via), mac: tunnelMAC(number), underlay: Address };
}
