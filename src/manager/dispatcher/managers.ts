import { createHash } from 'node:crypto';
import type { ManagersInit } from '../../model/types.js';

export interface ManagerAddress {
  nodeID: string;
  /** host:port of its cluster port. */
  address: string;
}

/** Raft's view of the managers, as far as sessions depend on it. */
export interface Leadership {
  hasLeader: boolean;
  leads: boolean;
  managers: readonly ManagerAddress[];
  /** On the leader: milliseconds since each other manager was last heard of, by node id. */
  silence_ms: ReadonlyMap<string, number>;
}

/**
 * The managers as a node is told them. Preferred is one other than itself where there is one (its own daemon dying with it must not hide
 * that it is gone), spread evenly by rendezvous hashing: a manager that comes or goes moves only the nodes that it must.
 */
export function managersFor(nodeID: string, managers: readonly ManagerAddress[]): ManagersInit {
  const others = managers.filter((manager) => manager.nodeID !== nodeID);
  const candidates = others.length > 0 ? others : managers;
  let preferred: ManagerAddress | undefined;
  let best = '';
  for (const manager of candidates) {
    const weight = createHash('sha256').update(`${nodeID}/${manager.nodeID}`).digest('hex');
    if (weight > best) [best, preferred] = [weight, manager];
  }
  return { Managers: managers.map((one) => ({ NodeID: one.nodeID, Addr: one.address, Preferred: one === preferred })) };
}
