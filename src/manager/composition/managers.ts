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
 * The managers, by node id. One whose node was found silent is not reachable; besides, only a leader hears from all of them, and
 * another manager knows of none as long as it has no leader.
 */
export function managersOf(status: RaftStatus, view: View): ReadonlyMap<string, ManagerState> {
  const isUp = (id: number, nodeID: string) => {
    if (id === status.id || id === status.leader) return true;
    const isSilent = view.get('Node', nodeID)?.Status?.Message === silentMessage;
    return !isSilent && (status.role === 'leader' ? isReachable(status, id) : status.leader !== 0);
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
