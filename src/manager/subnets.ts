import {
  type Block,
  blockAt,
  type Family,
  familyOf,
  formatBlock,
  formatIP,
  lastOf,
  overlap,
  parseCIDR,
  parseIP,
  sizeOf,
} from '../model/ip.js';
import { blocksOf, hasIPv6, tunnelBlocks } from '../model/network-block.js';
import type { IPAMConfig, IPAMOptions, NetworkSpec } from '../model/types.js';
import type { View } from '../store/view.js';

/** The prefix of an IPv6 subnet out of the pool: that of every link (RFC 4291, 2.5.4). */
const ipv6Prefix = 64;

/**
 * The configuration of a new network: as it was asked for, and what was not asked for from the cluster's pools, the lowest subnets that neither
 * a network nor a tunnel has. It has as many subnets of IPv6, where it has IPv6, as of IPv4: of either as many as were asked for. The family
 * that ran out when there are none left. Pure; that nobody else takes the same meanwhile is checked as the entry is applied.
 */
export function configurationFor(spec: NetworkSpec, view: View): IPAMOptions | Family {
  const asked = (spec.IPAMOptions?.Configs ?? []).filter(({ Subnet }) => Subnet !== '');
  const taken = [...view.list('Network')].flatMap((network) => blocksOf(network).map(({ subnet }) => subnet));
  taken.push(...asked.map(subnetOf), ...Object.values(tunnelBlocks));
  const configs = new Map<Family, IPAMConfig[]>();
  for (const family of familiesOf(spec)) {
    configs.set(
      family,
      asked.filter((config) => familyOf(subnetOf(config).first) === family),
    );
  }
  const count = Math.max(1, ...[...configs.values()].map((list) => list.length));
  for (const [family, list] of configs) {
    while (list.length < count) {
      const free = freeSubnet(family, view, taken);
      if (free === undefined) return family;
      taken.push(free);
      list.push({ Subnet: formatBlock(free), Range: '', Gateway: '', AuxiliaryAddresses: {} });
    }
  }
  return {
    Driver: { Name: 'default', Options: spec.IPAMOptions?.Driver?.Options ?? {} },
    Configs: [...configs.values()].flat().map(complete),
  };
}

function familiesOf(spec: NetworkSpec): Family[] {
  return hasIPv6({ Spec: spec }) ? [4, 6] : [4];
}

function subnetOf({ Subnet }: IPAMConfig): Block {
  return parseCIDR(Subnet)!.block;
}

/** With its gateway, and written as everything else writes it. */
function complete(config: IPAMConfig): IPAMConfig {
  const asked = parseIP(config.Gateway);
  return {
    ...config,
    Subnet: formatBlock(subnetOf(config)),
    Gateway: asked === undefined ? gatewayOf(config) : formatIP(asked),
  };
}

/** The lowest address that is not kept for something else. */
function gatewayOf(config: IPAMConfig): string {
  const kept = new Set(Object.values(config.AuxiliaryAddresses).map(parseIP));
  let address = subnetOf(config).first + 1n;
  while (kept.has(address)) address++;
  return formatIP(address);
}

/** From the pools that the cluster was founded with; of IPv6, when there is none among them, from one of its own. */
function freeSubnet(family: Family, view: View, taken: readonly Block[]): Block | undefined {
  const cluster = view.cluster();
  const pools = (cluster?.DefaultAddrPool ?? [])
    .flatMap((pool) => parseCIDR(pool)?.block ?? [])
    .filter(({ first }) => familyOf(first) === family);
  if (family === 6 && pools.length === 0) pools.push(uniqueLocalPool(cluster?.ID ?? ''));
  const prefix = family === 6 ? ipv6Prefix : cluster?.SubnetSize || 24;
  for (const pool of pools) {
    const free = firstFree(pool, prefix, taken);
    if (free !== undefined) return free;
  }
  return undefined;
}

/**
 * The cluster's own part of the unique local addresses (RFC 4193). Its forty bits follow from the cluster's id, which is chance already and
 * the same for every manager.
 */
export function uniqueLocalPool(clusterID: string): Block {
  let own = 0n;
  for (const letter of clusterID) own = (own * 37n + BigInt(letter.charCodeAt(0))) % 2n ** 40n;
  return blockAt((0xfdn << 120n) | (own << 80n), 48);
}

/** The lowest subnet of the pool that overlaps none of the taken ones; looks at each of those once a step, and leaps over it. */
function firstFree(pool: Block, prefix: number, taken: readonly Block[]): Block | undefined {
  const { bits } = blockAt(pool.first, prefix);
  const step = sizeOf(bits);
  let { first } = pool;
  while (first + step - 1n <= lastOf(pool)) {
    const candidate = { first, bits };
    const hit = taken.find((block) => overlap(block, candidate));
    if (hit === undefined) return candidate;
    first = ((lastOf(hit) + step) / step) * step;
  }
  return undefined;
}
