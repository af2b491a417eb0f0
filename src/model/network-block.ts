import { type Block, contains, type Family, familyOf, formatIP, lastOf, parseCIDR, parseIP, prefixOf } from './ip.js';
import type { IPAMConfig, Network } from './types.js';

/**
 * Nodes' addresses on the tunnels between them. That of IPv4 is out of the block for carriers' own use (RFC 6598), which no site uses for its
 * own hosts; that of IPv6 is unique and local (RFC 4193), "Shoal" being its forty bits.
 */
export const tunnelBlocks: Readonly<Record<Family, Block>> = {
  4: parseCIDR('100.96.0.0/15')!.block,
  6: parseCIDR('fd53:686f:616c::/48')!.block,
};

/** One subnet of a cluster network, from what was given or allotted at its creation. */
export interface NetworkBlock {
  subnet: Block;
  /** Where services and tasks get theirs: the subnet, or a part of it. */
  range: Block;
  gateway: bigint;
  /** Never given out: the ends of the subnet, the gateway, and what the user keeps for himself. */
  reserved: ReadonlySet<bigint>;
}

/** What of a network is one bridge on each node: a subnet of IPv4 and, where the network has IPv6, one of that. */
export interface Segment {
  ipv4: NetworkBlock;
  ipv6: NetworkBlock | undefined;
}

/** The network's segments in their order: the first subnets of both families, the second ones … None of one that was stored without. */
export function segmentsOf(network: Network): Segment[] {
  const blocks = (network.IPAMOptions?.Configs ?? []).flatMap((config) => blockOf(config) ?? []);
  const of = (family: Family) => blocks.filter(({ subnet }) => familyOf(subnet.first) === family);
  const ipv6 = of(6);
  return of(4).map((ipv4, at) => ({ ipv4, ipv6: ipv6[at] }));
}

export function blocksOf(network: Network): NetworkBlock[] {
  return segmentsOf(network).flatMap(({ ipv4, ipv6 }) => (ipv6 === undefined ? [ipv4] : [ipv4, ipv6]));
}

export function hasIPv6(network: Pick<Network, 'Spec'>): boolean {
  return network.Spec?.IPv6Enabled === true;
}

function blockOf(config: IPAMConfig): NetworkBlock | undefined {
  const subnet = parseCIDR(config.Subnet)?.block;
  const gateway = parseIP(config.Gateway);
  if (subnet === undefined || gateway === undefined) return undefined;
  const kept = Object.values(config.AuxiliaryAddresses).flatMap((text) => parseIP(text) ?? []);
  return {
    subnet,
    range: parseCIDR(config.Range)?.block ?? subnet,
    gateway,
    reserved: new Set([subnet.first, lastOf(subnet), gateway, ...kept]),
  };
}

/** The address in the subnet's CIDR, as attachments and virtual IPs are written. */
export function inBlock(address: bigint, { subnet }: NetworkBlock): string {
  return `${formatIP(address)}/${prefixOf(subnet)}`;
}

/** Whether the address may be given to a service or a task. */
export function isAssignable(address: bigint, { range, reserved }: NetworkBlock): boolean {
  return contains(range, address) && !reserved.has(address);
}
