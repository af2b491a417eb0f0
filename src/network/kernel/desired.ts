import type { Network, NetworkPeer } from '../../model/types.js';
import type { NetworkItems } from '../network-table.js';
import { bridgeOf, returnTable, tunnelAddress, tunnelMAC } from './names.js';

/** What VXLAN over IPv4 adds to a packet (RFC 7348: 8, UDP 8, IP 20, Ethernet 14). */
const vxlan_bytes = 50;
const underlayMTU_default = 1500;

/** How large a packet through the tunnel may be, when one of the machine's own network may be so large. */
export function tunnelMTU(underlayMTU = underlayMTU_default): number {
  return underlayMTU - vxlan_bytes;
}

/** Networks of which this node has the bridge, in order of their number. */
export function carriedNetworks({ networks }: NetworkItems, bridges: readonly string[]): Network[] {
  return [...networks.values()]
    .filter((network) => bridges.includes(bridgeOf(network.Number)))
    .sort((a, b) => a.Number - b.Number);
}

/** What the node's kernel shall have of the cluster's networks, besides the rules. All lists are in a fixed order. */
export interface DesiredKernel {
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

/** The part of it that this node takes: everything that it must reach, and virtual IPs of the networks that it carries. `hasMesh`: ports are published. */
export function desiredKernel(
  items: NetworkItems,
  nodeID: string,
  carried: readonly Network[],
  mtu: number,
  hasMesh: boolean,
): DesiredKernel {
  const self = items.peers.get(nodeID);
  const remote = new Map<string, string>();
  const virtual = new Set<string>();
  const carriedIDs = new Set(carried.map(({ ID }) => ID));
  for (const service of items.services.values()) {
    if (carriedIDs.has(service.NetworkID) && service.VirtualIP !== '') virtual.add(service.VirtualIP);
    for (const { NodeID, Address } of service.Endpoints) {
      const peer = items.peers.get(NodeID);
      if (NodeID !== nodeID && peer !== undefined) remote.set(Address, tunnelAddress(peer.Number));
    }
  }
  const isNeeded = self !== undefined && (items.networks.size > 0 || hasMesh);
  const peers = [...items.peers.values()].filter((peer) => peer.ID !== nodeID).sort((a, b) => a.Number - b.Number);
  return {
    tunnel: isNeeded ? tunnelOf(self, mtu) : undefined,
    peers: isNeeded ? peers.map(neighbour) : [],
    remote: isNeeded ? remote : new Map(),
    virtual: isNeeded ? virtual : new Set(),
    bridges: carried.map((network) => bridgeOf(network.Number)).sort(),
    returns:
      isNeeded && hasMesh
        ? new Map(peers.map((peer) => [returnTable(peer.Number), tunnelAddress(peer.Number)]))
        : new Map(),
  };
}

function tunnelOf({ Number: number, Address, DataPathPort }: NetworkPeer, mtu: number): DesiredKernel['tunnel'] {
  return { address: tunnelAddress(number), mac: tunnelMAC(number), local: Address, port: DataPathPort, mtu };
}

function neighbour({ Number: number, Address }: NetworkPeer): DesiredKernel['peers'][number] {
  return { address: tunnelAddress(number), mac: tunnelMAC(number), underlay: Address };
}
