import type { RaftStatus } from '../../raft/node.js';
import type { View } from '../../store/view.js';
import type { Leadership } from '../dispatcher/dispatcher.js';
import { silentMessage } from '../dispatcher/node-liveness.js';
import { isReachable } from '../membership/plan.js';

export interface ManagerState {
  leader: boolean;
  reachable: boolean;
  /** host:port. */
  address: string;
}

/**
 * The managers, by node id. Only a leader hears from all of them; another manager goes by what the store says of their nodes, as long
 * as it has a leader at all.
 */
export function managersOf(status: RaftStatus, view: View): ReadonlyMap<string, ManagerState> {
  const isUp = (id: number, nodeID: string) => {
    if (status.role === 'leader' || id === status.id) return isReachable(status, id);
    return status.leader === id || (status.leader !== 0 && view.get('Node', nodeID)?.Status?.Message !== silentMessage);
  };
  return new Map(
    status.members.map(({ id, nodeID, address }) => [
      nodeID,
      { leader: id === status.leader, reachable: isUp(id, nodeID), address },
    ]),
  );
}

/** What the dispatcher needs to know of the group. */
export function leadershipOf(status: RaftStatus): Leadership {
  const nodeIDs = new Map(status.members.map(({ id, nodeID }) => [id, nodeID]));
  return {
    hasLeader: status.leader !== 0,
    leads: status.role === 'leader',
    managers: status.members.map(({ nodeID, address }) => ({ nodeID, address })),
    silence_ms: new Map([...status.silence_ms].map(([id, silence_ms]) => [nodeIDs.get(id) ?? '', silence_ms])),
  };
}
