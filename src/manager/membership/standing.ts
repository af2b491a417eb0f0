import type { RaftStatus } from '../../raft/node.js';
import { demotionOf, type Guard } from '../../security/identity.js';
import type { View } from '../../store/view.js';
import { removalOf } from './removal.js';

/**
 * The nodes whose manager's certificates count: those that the state calls managers, and those that are demoted and still take part in
 * the Raft group, which needs them until it has let them go.
 */
export function trustedManagers(view: View, members: Iterable<{ nodeID: string }>): Set<string> {
  const trusted = new Set(Array.from(members, ({ nodeID }) => nodeID));
  for (const { ID, Spec } of view.list('Node')) if (Spec?.Role === 'manager') trusted.add(ID);
  return trusted;
}

/** A manager's guard: its own copy of the state. One that has no state yet takes certificates at their word, or it would never get one. */
export function guardOf(view: View, raft: { status(): Pick<RaftStatus, 'members'> }): Guard {
  const isManager = (nodeID: string) =>
    view.get('Node', nodeID)?.Spec?.Role === 'manager' ||
    raft.status().members.some((member) => member.nodeID === nodeID);
  return {
    removal: ({ nodeID }) => removalOf(view, nodeID),
    demotion: (identity) =>
      view.cluster() === undefined ? undefined : demotionOf(identity, { asOf: view.index, isManager }),
  };
}
