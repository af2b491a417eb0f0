import { type Block, formatAddress, formatBlock, lastOf, overlap, parseCIDR, sizeOf } from '../model/ipv4.js';
import { networkBlock } from '../model/network-block.js';
import type { IPAMConfig, IPAMOptions, NetworkSpec } from '../model/types.js';
import type { View } from '../store/view.js';

/**
 * The configuration of a new network: as it was asked for, and what was not asked for from the cluster's pools, the lowest subnet that no
 * network has. Undefined when there is none left. Pure; that nobody else takes the same meanwhile is checked as the entry is applied.
 */
export function configurationFor(spec: NetworkSpec, view: View): IPAMOptions | undefined {
  const asked = spec.IPAMOptions?.Configs[0];
  const config = asked !== undefined && asked.Subnet !== '' ? asked : fromPools(view);
  if (config === undefined) return undefined;
  const subnet = parseCIDR(config.Subnet)!.block;
  return {
    Driver: { Name: 'default', Options: spec.IPAMOptions?.Driver?.Options ?? {} },
    Configs: [{ ...config, Gateway: config.Gateway || gatewayOf(subnet, config) }],
  };
}

/** The lowest address that is not kept for something else. */
function gatewayOf(subnet: Block, { AuxiliaryAddresses }: IPAMConfig): string {
  const kept = new Set(Object.values(AuxiliaryAddresses));
  let address = subnet.first + 1;
  while (kept.has(formatAddress(address))) address++;
  return formatAddress(address);
}

function fromPools(view: View): IPAMConfig | undefined {
  const cluster = view.cluster();
  const bits = cluster?.SubnetSize || 24;
  const taken = [...view.list('Network')].flatMap((network) => networkBlock(network)?.subnet ?? []);
  for (const pool of cluster?.DefaultAddrPool ?? []) {
    const block = parseCIDR(pool)?.block;
    const free = block && firstFree(block, bits, taken);
    if (free !== undefined) {
      return { Subnet: formatBlock(free), Range: '', Gateway: '', AuxiliaryAddresses: {} };
    }
  }
  return undefined;
}

/** The lowest subnet of the pool that overlaps none of the taken ones; looks at each of those once a step, and leaps over it. */
function firstFree(pool: Block, bits: number, taken: readonly Block[]): Block | undefined {
  const step = sizeOf(bits);
  let first = pool.first;
  while (first + step - 1 <= lastOf(pool)) {
    const candidate = { first, bits };
    const hit = taken.find((block) => overlap(block, candidate));
    if (hit === undefined) return candidate;
    first = Math.ceil((lastOf(hit) + 1) / step) * step;
  }
  return undefined;
}
