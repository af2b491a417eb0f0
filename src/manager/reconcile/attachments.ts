import type { Family } from '../../model/ip.js';
import type { Network, NetworkAttachment, NetworkAttachmentConfig, ServiceSpec, Task } from '../../model/types.js';
import type { View } from '../../store/view.js';
import type { Addresses } from './addresses.js';

/** The networks that a service's tasks are attached to: the template's, or where it has none those of the older field. */
export function attachmentsOf(spec: ServiceSpec | null): readonly NetworkAttachmentConfig[] {
  const inTemplate = spec?.TaskTemplate?.Networks ?? [];
  return inTemplate.length > 0 ? inTemplate : (spec?.Networks ?? []);
}

/** Those of them that are the cluster's; the others are every engine's own. */
export function clusterNetworks(spec: ServiceSpec | null, view: View): NetworkAttachmentConfig[] {
  return attachmentsOf(spec).filter(({ Target }) => view.get('Network', Target) !== undefined);
}

/**
 * Addresses on each of the cluster's networks that the task is to be on; as a text, why it cannot have them. What was taken stays
 * taken for this pass, so that no other task of it hopes for the same.
 */
export function attach(task: Task, view: View, addresses: Addresses): NetworkAttachment[] | string {
  const attachments: NetworkAttachment[] = [];
  for (const { Target, Addresses: asked } of task.Spec?.Networks ?? []) {
    if (ownNetworks.has(Target)) continue;
    const network = view.get('Network', Target);
    if (network === undefined) return `network ${Target} not found`;
    const given = asked.length === 0 ? addresses.forTask(Target) : addresses.asked(Target, asked);
    if (given === undefined) return notToBeHad(network, asked);
    if (typeof given === 'number') return shortage(network, given);
    attachments.push({ Network: bare(Target), Addresses: [...given] });
  }
  return attachments;
}

// In the words of Docker's address management (libnetwork's ipam).

function notToBeHad({ ID, Spec }: Network, asked: readonly string[]): string {
  return `Address already in use, or none of network ${Spec?.Name} (${ID}): ${asked.join(', ')}`;
}

function shortage({ ID, Spec }: Network, family: Family): string {
  return `no available IPv${family} addresses on this network's address pools: ${Spec?.Name} (${ID})`;
}

/** Every engine has these by itself. */
const ownNetworks: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);

function bare(ID: string): NetworkAttachment['Network'] {
  return {
    ID,
    Version: null,
    CreatedAt: '',
    UpdatedAt: '',
    Spec: null,
    DriverState: null,
    IPAMOptions: null,
    Number: 0,
    Released: [],
  };
}
