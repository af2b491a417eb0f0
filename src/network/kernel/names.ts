import { formatAddress } from '../../model/ipv4.js';

// What the data path is called in the kernel. Everything named so is ours, is put right when it is not as it should be, and is removed in
// the end; nothing else is touched.

/** The one VXLAN device of a node, whatever the number of networks. */
export const tunnelDevice = 'shv0';
/** Its VXLAN network identifier: beyond those that Docker gives its own overlay networks (4097 and up), should both run. */
export const tunnelIdentifier = 4096;
/** The nft table (family ip). */
export const tableName = 'shoal';
/** Mark of packets that our own rules let through; the lower bits are free for a node's number. */
export const passMark = 0x53000000;
export const markMask = 0xff000000;

/** The bridge of a network on every node that carries it. */
export function bridgeOf(networkNumber: number): string {
  return `shl${networkNumber}`;
}

// Out of the block for carriers' own use (RFC 6598), which no site uses for its own hosts.
const tunnelAddresses = 100 * 2 ** 24 + 96 * 2 ** 16;

/** A node's address on the tunnel device of every other. Its number has 16 bits. */
export function tunnelAddress(nodeNumber: number): string {
  return formatAddress(tunnelAddresses + nodeNumber);
}

/** A node's hardware address on the tunnel; locally administered (bit 1 of the first byte). */
export function tunnelMAC(nodeNumber: number): string {
  const hex = (byte: number) => byte.toString(16).padStart(2, '0');
  return `02:53:00:00:${hex(nodeNumber >> 8)}:${hex(nodeNumber & 255)}`;
}
