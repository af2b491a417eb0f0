import { ShoalError } from '../../model/errors.js';
import type { Node } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** Managers as Raft sees them, by node id. */
export type Managers = ReadonlyMap<string, { leader: boolean; reachable: boolean }>;

/**
 * Throws when the node must not get this role (swarmkit manager/controlapi/node.go UpdateNode): the last manager stays one, and
 * a demotion that would leave too few reachable managers to agree is refused.
 */
export function checkRoleChange(view: View, managers: Managers, node: Node, role: string): void {
  const isDemotion = node.Spec?.Role === 'manager' && role === 'worker';
  if (!isDemotion) return;
  const others = [...view.list('Node')].filter((other) => other.ID !== node.ID && other.Spec?.Role === 'manager');
  if (others.length === 0) throw new ShoalError('in-use', 'attempting to demote the last manager of the swarm');
  const members = others.filter((other) => managers.has(other.ID));
  const reachable = members.filter((other) => managers.get(other.ID)?.reachable).length;
  if (managers.has(node.ID) && reachable <= members.length / 2) {
    throw new ShoalError(
      'in-use',
      `can't remove member from the raft: this would result in a loss of quorum (${reachable} of the ${members.length} managers that would be left are reachable)`,
    );
  }
}

/** Throws when the node must not be removed (swarmkit RemoveNode): a manager is demoted first, and only `force` removes one that is up. */
export function checkRemoval(node: Node, force: boolean): void {
  if (node.Spec?.Role === 'manager') {
    throw new ShoalError(
      'in-use',
      `node ${node.ID} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`,
    );
  }
  if (!force && node.Status?.State === 'ready') {
    throw new ShoalError('in-use', `node ${node.ID} is not down and can't be removed`);
  }
}
