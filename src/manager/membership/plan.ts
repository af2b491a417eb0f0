import type { Node } from '../../model/types.js';
import type { Member, RaftStatus } from '../../raft/node.js';
import type { View } from '../../store/view.js';

/** The next thing to do so that the Raft group becomes what the nodes' roles ask for. One at a time, each safe by itself. */
export type MembershipStep =
  | { do: 'add'; member: Member }
  /** Takes the Raft id off a node that shall not be a member any more, so that the id is never used again. */
  | { do: 'retire'; node: Node }
  | { do: 'hand-over'; to: number }
  | { do: 'remove'; member: Member };

/** A member not heard of for longer than this does not count as reachable: two election times-out at their longest. */
export const silenceMax_ms = 4_000;

/** Whether the leader has heard of the member lately. */
export function isReachable(status: RaftStatus, id: number): boolean {
  return id === status.id || (status.silence_ms.get(id) ?? Number.POSITIVE_INFINITY) <= silenceMax_ms;
}

/** Whether the group could still agree on anything after `id` has left it. */
export function keepsQuorumWithout(status: RaftStatus, id: number): boolean {
  const rest = status.members.filter((member) => !member.learner && member.id !== id);
  const reachable = rest.filter((member) => isReachable(status, member.id)).length;
  return reachable > rest.length / 2;
}

/** Whether the member is what the store says its node is: a manager under this very Raft id. */
function belongs(view: View, member: Member): boolean {
  const node = view.get('Node', member.nodeID);
  return node?.Spec?.Role === 'manager' && node.RaftID === member.id;
}

function addition(view: View, status: RaftStatus, adding: ReadonlySet<number>): MembershipStep | undefined {
  for (const node of view.list('Node')) {
    const address = node.ManagerStatus?.Addr ?? '';
    if (node.RaftID === 0 || adding.has(node.RaftID) || node.Spec?.Role !== 'manager' || address === '') continue;
    const member = status.members.find(({ id }) => id === node.RaftID);
    if (member?.address !== address) return { do: 'add', member: { id: node.RaftID, nodeID: node.ID, address } };
  }
  return undefined;
}

/**
 * What the leader does next, from the replicated state and its own Raft status alone; undefined when nothing is to do or
 * nothing can be done without giving up the quorum. `adding` are Raft ids whose addition
 * is under way. Removals go before additions: a smaller group agrees more easily.
 */
export function nextStep(view: View, status: RaftStatus, adding: ReadonlySet<number>): MembershipStep | undefined {
  if (status.role !== 'leader' || view.cluster() === undefined) return undefined;
  const leaving = status.members.filter((member) => !belongs(view, member));
  for (const member of leaving) {
    const node = view.get('Node', member.nodeID);
    if (!keepsQuorumWithout(status, member.id)) continue;
    if (node !== undefined && node.RaftID === member.id) return { do: 'retire', node };
    if (member.id !== status.id) return { do: 'remove', member };
    const heir = status.members.find(
      (other) => other.id !== status.id && !other.learner && !leaving.includes(other) && isReachable(status, other.id),
    );
    if (heir !== undefined) return { do: 'hand-over', to: heir.id };
  }
  for (const node of view.list('Node')) {
    const isMember = status.members.some(({ id }) => id === node.RaftID);
    if (node.RaftID > 0 && node.Spec?.Role !== 'manager' && !isMember) return { do: 'retire', node }; // demoted before it was in
  }
  return addition(view, status, adding);
}
