import { ShoalError } from '../../model/errors.js';
import type { Member } from '../node.js';
import type { Membership } from './types.js';

export type MembershipChange =
  | { action: 'voter' | 'learner'; member: Member }
  | { action: 'update'; member: Member }
  | { action: 'remove'; id: number };

export const emptyMembership: Membership = { voters: [], learners: [] };

function sorted(members: Iterable<Member>): Member[] {
  return [...members].sort((left, right) => left.id - right.id);
}

export function membershipOf(voters: Iterable<Member>, learners: Iterable<Member> = []): Membership {
  return { voters: sorted(voters), learners: sorted(learners) };
}

export function findMember(membership: Membership, id: number): Member | undefined {
  return membership.voters.find((member) => member.id === id) ?? membership.learners.find((member) => member.id === id);
}

export function isVoter(membership: Membership, id: number): boolean {
  return membership.voters.some((member) => member.id === id);
}

/**
 * The membership after `changes`, done in order. As a whole they may add or remove at most one voter: then any majority of the old
 * membership and any of the new one have a member in common (dissertation 4.1). What is so already changes nothing; id 0 is
 * ignored. Throws ShoalError `failed-precondition`.
 */
export function changeMembership(current: Membership, changes: readonly MembershipChange[]): Membership {
  const voters = new Map(current.voters.map((member) => [member.id, member]));
  const learners = new Map(current.learners.map((member) => [member.id, member]));
  for (const change of changes) {
    const id = change.action === 'remove' ? change.id : change.member.id;
    if (id === 0) continue;
    if (change.action === 'update') {
      if (voters.has(id)) voters.set(id, change.member);
      else if (learners.has(id)) learners.set(id, change.member);
      continue;
    }
    voters.delete(id);
    learners.delete(id);
    if (change.action === 'voter') voters.set(id, change.member);
    else if (change.action === 'learner') learners.set(id, change.member);
  }
  if (voters.size === 0) {
    throw new ShoalError('failed-precondition', 'the change would leave the managers without a single voter');
  }
  const before = new Set(current.voters.map((member) => member.id));
  const added = [...voters.keys()].filter((id) => !before.has(id)).length;
  const removed = [...before].filter((id) => !voters.has(id)).length;
  if (added + removed > 1) {
    throw new ShoalError('failed-precondition', 'only one manager can be added or removed at a time');
  }
  return membershipOf(voters.values(), learners.values());
}
