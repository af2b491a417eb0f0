import { type Block, contains, formatAddress, lastOf, parseAddress, parseCIDR } from './ipv4.js';
import type { Network } from './types.js';

/** What a cluster network's addresses are, from what was given or allocated at its creation. */
export interface NetworkBlock {
  subnet: Block;
  /** Where services and tasks get theirs: the subnet, or a part of it. */
  range: Block;
  gateway: number;
  /** Never given out: the ends of the subnet, the gateway, and what the user keeps for himself. */
  reserved: ReadonlySet<number>;
}

/** The network's one configuration, read; undefined of one that was stored without (no network of ours). */
export function networkBlock(network: Network): NetworkBlock | undefined {
  const config = network.IPAMOptions?.Configs[0];
  const subnet = parseCIDR(config?.Subnet ?? '')?.block;
  const gateway = parseAddress(config?.Gateway ?? '');
  if (config === undefined || subnet === undefined || gateway === undefined) return undefined;
  const kept = Object.values(config.AuxiliaryAddresses).flatMap((text) => parseAddress(text) ?? []);
  return {
    subnet,
    range: parseCIDR(config.Range)?.block ?? subnet,
    gateway,
    reserved: new Set([subnet.first, lastOf(subnet), gateway, ...kept]),
  };
}

/** The address in the subnet's CIDR, as attachments and virtual IPs are written. */
export function inBlock(address: number, { subnet }: NetworkBlock): string {
  return `${formatAddress(address)}/${subnet.bits}`;
}

/** Whether the address may be given to a service or a task. */
export function isAssignable(address: number, { range, reserved }: NetworkBlock): boolean {
  return contains(range, address) && !reserved.has(address);
}
