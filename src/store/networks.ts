import { formatBlock, overlap } from '../model/ip.js';
import { blocksOf } from '../model/network-block.js';
import type { Network, Service } from '../model/types.js';
import type { Draft } from './draft.js';
import { refuse } from './refusal.js';

// What holds among networks however many managers write at once, because it is checked as an entry is applied.

/** Numbers fit a mark and a MAC address of the kernel plane, which give them 16 bits. */
const number_max = 65_000;

/** A number that no node, or no network, has: one that was not used lately, while there are any. */
export function freeNumber(draft: Draft, kind: 'Node' | 'Network'): number {
  const highest = draft.highestNumber(kind);
  if (highest < number_max) return highest + 1;
  const taken = new Set<number>();
  for (const object of draft.list(kind)) taken.add(object.Number);
  for (let number = 1; number <= number_max; number++) if (!taken.has(number)) return number;
  return refuse('invalid-argument', `${kind}: a cluster has at most ${number_max} of them`);
}

/** No two networks of the cluster share an address. */
export function checkSubnetFree(draft: Draft, network: Network): void {
  const subnets = blocksOf(network).map(({ subnet }) => subnet);
  if (subnets.length === 0) return;
  for (const other of draft.list('Network')) {
    if (other.ID === network.ID) continue;
    for (const { subnet: taken } of blocksOf(other)) {
      const subnet = subnets.find((one) => overlap(one, taken));
      if (subnet === undefined) continue;
      refuse(
        'out-of-sequence',
        `invalid pool request: Pool overlaps with other one on this address space: ${formatBlock(subnet)} with ${formatBlock(taken)} of network ${other.Spec?.Name}`,
      );
    }
  }
}

/** A network that a service or a task still names stays. Throws in Docker's words. */
export function checkNetworkUnused(draft: Draft, id: string): void {
  for (const service of draft.list('Service')) {
    if (networksOf(service).includes(id)) inUse(id, `service ${service.ID}`);
  }
  for (const task of draft.list('Task')) {
    if (task.NetworksAttachments.some(({ Network }) => Network?.ID === id)) inUse(id, `task ${task.ID}`);
  }
}

/** Ids of the networks that the service's spec names. */
export function networksOf(service: Service): string[] {
  const { TaskTemplate, Networks = [] } = service.Spec ?? {};
  return [...(TaskTemplate?.Networks ?? []), ...Networks].map(({ Target }) => Target);
}

function inUse(id: string, by: string): never {
  return refuse('invalid-argument', `rpc error: code = FailedPrecondition desc = network ${id} is in use by ${by}`);
}
