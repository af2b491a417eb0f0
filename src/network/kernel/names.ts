import { isEncrypted } from '../../model/encrypted-networks.js';
import { formatIP } from '../../model/ip.js';
import { segmentsOf, tunnelBlocks } from '../../model/network-block.js';
import type { Network } from '../../model/types.js';

// What the data path is called in the kernel. Everything named so is ours, is put right when it is not as it should be, and is removed in
// the end; nothing else is touched.

/** A VXLAN device of a node, one for many networks. */
export interface Tunnel {
  device: string;
  /** VXLAN network identifier: below those that Docker gives its own overlay networks (4097 and up), should both run. */
  identifier: number;
  /** Where in the blocks of nodes' addresses those of this device are. */
  offset: number;
}
export const plainTunnel: Tunnel = { device: 'shv0', identifier: 4096, offset: 0 };
/** That of encrypted networks. It has a UDP port of its own, by which the kernel's IPsec knows what to encrypt, and what to refuse. */
export const encryptedTunnel: Tunnel = { device: 'shv1', identifier: 4094, offset: 0x10000 };
/** Of all networks that are not encrypted, and of published ports. */
export const tunnelDevice = plainTunnel.device;

/** The one that a network goes through. */
export function tunnelOfNetwork(network: Pick<Network, 'Spec'>): Tunnel {
  return isEncrypted(network) ? encryptedTunnel : plainTunnel;
}

/** The nft tables (families ip and ip6). */
export const tableName = 'shoal';
/** One that is there for a moment, without hooks: nft shows it in the words that ours should be in (verify.ts). */
export const comparedTableName = 'shoal_compared';
/**
 * Mark of packets that our own rules let through, and of connections that they lead somewhere. Its lower 16 bits are the number of the
 * node that a client came to, when that was another: answers go back that way.
 */
export const passMark = 0x53000000;
export const markMask = 0xff000000;
export const numberMask = 0x0000ffff;
/** Of a connection: to a virtual IP, which is of one network and stays in it. */
export const virtualFlag = 0x00400000;
/** Of a connection: its task shall see this node instead of the client. */
export const hiddenFlag = 0x00800000;
/** Where in `ip rule` the ways back are: after the local table, before what an administrator adds by itself (32765 and down). */
export const returnPriority = 5300;

/** Routing table of the way back through a node. */
export function returnTable(nodeNumber: number): number {
  return passMark + nodeNumber;
}

/** The bridge of a network's segment, the first one unless another is named, on every node that carries it. */
export function bridgeOf(networkNumber: number, segment = 0): string {
  return segment === 0 ? `shl${networkNumber}` : `shl${networkNumber}_${segment}`;
}

/** The bridges of all of its segments. */
export function bridgesOfNetwork(network: Network): string[] {
  return segmentsOf(network).map((_, segment) => bridgeOf(network.Number, segment));
}

/** Whether a device is called as our bridges are. */
export function isBridgeName(device: string): boolean {
  return /^shl\d+(?:_\d+)?$/.test(device);
}

/** A node's address on the tunnel device of every other. Its number has 16 bits. */
export function tunnelAddress(nodeNumber: number, { offset } = plainTunnel): string {
  return formatIP(tunnelBlocks[4].first + BigInt(offset + nodeNumber));
}

/** The same of IPv6. */
export function tunnelAddress6(nodeNumber: number, { offset } = plainTunnel): string {
  return formatIP(tunnelBlocks[6].first + BigInt(offset + nodeNumber));
}

/** A node's hardware address on the tunnel; locally administered (bit 1 of the first byte). */
export function tunnelMAC(nodeNumber: number): string {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  return `02:53:00:00:${hex(nodeNumber >> 8)}:${hex(nodeNumber & 255)}`;
}
