import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import { formatObstacle } from '../../model/format.js';
import type {
  Cluster,
  DrainRequest,
  DrainResponseInit,
  JoinRaftRequest,
  JoinRaftResponseInit,
  LeaveRaftRequest,
  LeaveRaftResponseInit,
  MembershipHandlers,
  Node,
} from '../../model/types.js';
import type { RaftNode, RaftStatus } from '../../raft/node.js';
import type { Dialer, IdentityOf } from '../../security/identity.js';
import { callOnce, unary } from '../../security/rpc.js';
import type { Replicated } from '../reader.js';
import { retried } from '../retried.js';
import { keepsQuorumWithout } from './plan.js';

export interface MembershipParts {
  raft: RaftNode;
  store: Replicated;
  dialer: Dialer;
  identityOf: IdentityOf;
  clock: Clock;
  log: Logger;
}

const settled_ms = 10_000; // for the group to take a member in or out
const forward_ms = settled_ms + 5_000;

function checkAddress(address: string): void {
  const port = Number(/^(?:\[[0-9a-fA-F:.]+\]|[^:[\]\s/]{1,253}):(\d{1,5})$/.exec(address)?.[1] ?? 0);
  if (port < 1 || port > 65_535) {
    throw new ShoalError('invalid-argument', `Addr: "${address.slice(0, 300)}" is not host:port`);
  }
}

/** Resolves once `holds`, looked at after each change of Raft's status. Throws `unavailable` when it does not come to hold in time. */
function until(raft: RaftNode, clock: Clock, holds: (status: RaftStatus) => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      stop();
      cancel();
    };
    const stop = raft.onStatus((status) => {
      if (!holds(status)) return;
      end();
      resolve();
    });
    const cancel = clock.after(settled_ms, () => {
      end();
      reject(new ShoalError('unavailable', `${what} takes longer than ${settled_ms / 1000} s; it goes on`));
    });
    if (holds(raft.status())) {
      end();
      resolve();
    }
  });
}

/** Joining and leaving the managers' Raft group, which the leader does, and the drain of a node that leaves. */
export function membershipService(parts: MembershipParts): MembershipHandlers {
  const { raft, store, dialer, identityOf, clock, log } = parts;

  /** The leader's address when this manager is not the leader. Throws `no-leader` when there is none. */
  function leaderElsewhere(): string | undefined {
    const { role, leader, members } = raft.status();
    if (role === 'leader') return undefined;
    const address = members.find((member) => member.id === leader)?.address;
    if (address === undefined) throw new ShoalError('no-leader', 'The swarm does not have a leader. Try again later.');
    return address;
  }

  /** Who the request is about: the caller, or whom a member of the group asks for. */
  function subjectOf(caller: string, named: string): string {
    if (named === '' || named === caller) return caller;
    if (!raft.status().members.some((member) => member.nodeID === caller)) {
      throw new ShoalError('forbidden', 'NodeID: only members of the Raft group speak for other nodes');
    }
    return named;
  }

  async function nodeOf(nodeID: string): Promise<{ node: Node; cluster: Cluster }> {
    const view = await store.read();
    const [node, cluster] = [view.get('Node', nodeID), view.cluster()];
    if (node === undefined || cluster === undefined) {
      throw new ShoalError('unauthorized', `node ${nodeID} is not part of the cluster`);
    }
    return { node, cluster };
  }

  /** Gives the node a Raft id that was never used, or the one it was given before, and says where it is reached; the keeper then adds it. */
  async function admit(nodeID: string, address: string, forgotten: number): Promise<number> {
    const { node, cluster } = await nodeOf(nodeID);
    if (node.Spec?.Role !== 'manager') {
      throw new ShoalError('failed-precondition', `node ${nodeID} is a worker; promote it first`);
    }
    const isKnown = node.RaftID > 0 && node.RaftID !== forgotten;
    if (isKnown && node.ManagerStatus?.Addr === address) return node.RaftID;
    const id = isKnown ? node.RaftID : Math.max(cluster.NextRaftID, 2); // the first manager has 1
    await store.propose({
      Origin: 'membership',
      Time: timestamp(clock),
      Operations: [
        {
          Action: 'update',
          ID: cluster.ID,
          ExpectedVersion: cluster.Version?.Index ?? 0,
          Cluster: { ...cluster, NextRaftID: Math.max(cluster.NextRaftID, id + 1) },
        },
        {
          Action: 'update',
          ID: nodeID,
          ExpectedVersion: node.Version?.Index ?? 0,
          Node: { ...node, RaftID: id, ManagerStatus: { Leader: false, Reachability: 'unknown', Addr: address } },
        },
      ],
    });
    return id;
  }

  async function join(nodeID: string, request: JoinRaftRequest): Promise<JoinRaftResponseInit> {
    const { Addr, ForgottenRaftID, Format } = request;
    checkAddress(Addr);
    const obstacle = formatObstacle(Format);
    if (obstacle !== undefined) throw new ShoalError('failed-precondition', obstacle);
    const RaftID = await retried(() => admit(nodeID, Addr, ForgottenRaftID));
    log.info('manager asks to join the Raft group', { node: nodeID, raft: RaftID, address: Addr });
    await until(
      raft,
      clock,
      (status) => status.members.some(({ id }) => id === RaftID),
      `taking node ${nodeID} into the Raft group`,
    );
    const Peers = raft
      .status()
      .members.map(({ id, nodeID: NodeID, address }) => ({ RaftID: id, NodeID, Addr: address }));
    return { RaftID, Peers };
  }

  /** Writes one field of the node's spec, unless it is that already. */
  async function setSpec(nodeID: string, fields: { Role: 'worker' } | { Availability: 'drain' }): Promise<void> {
    const { node } = await nodeOf(nodeID);
    const Spec = { ...node.Spec, ...fields };
    if (isDeepStrictEqual(Spec, node.Spec)) return;
    await store.propose({
      Origin: 'membership',
      Time: timestamp(clock),
      Operations: [
        { Action: 'update', ID: nodeID, ExpectedVersion: node.Version?.Index ?? 0, Node: { ...node, Spec } },
      ],
    });
  }

  async function leave(nodeID: string): Promise<LeaveRaftResponseInit> {
    const member = raft.status().members.find((other) => other.nodeID === nodeID);
    if (member === undefined) return {};
    if (!keepsQuorumWithout(raft.status(), member.id)) {
      throw new ShoalError('failed-precondition', `the managers would lose their quorum without node ${nodeID}`);
    }
    await retried(() => setSpec(nodeID, { Role: 'worker' }));
    const isOut = (status: RaftStatus) => !status.members.some(({ id }) => id === member.id);
    await until(raft, clock, isOut, `taking node ${nodeID} out of the Raft group`);
    return {};
  }

  return {
    JoinRaft: unary<JoinRaftRequest, JoinRaftResponseInit>(async (request, call) => {
      const NodeID = subjectOf(identityOf(call).nodeID, request.NodeID);
      const leader = leaderElsewhere();
      if (leader === undefined) return join(NodeID, request);
      const credentials = dialer.credentials({ role: 'manager' });
      return callOnce(
        'Membership',
        'JoinRaft',
        leader,
        { ...request, NodeID },
        { credentials, timeout_ms: forward_ms },
      );
    }),
    LeaveRaft: unary<LeaveRaftRequest, LeaveRaftResponseInit>(async (request, call) => {
      const NodeID = subjectOf(identityOf(call).nodeID, request.NodeID);
      const leader = leaderElsewhere();
      if (leader === undefined) return leave(NodeID);
      const credentials = dialer.credentials({ role: 'manager' });
      return callOnce('Membership', 'LeaveRaft', leader, { NodeID }, { credentials, timeout_ms: forward_ms });
    }),
    Drain: unary<DrainRequest, DrainResponseInit>(async (_request, call) => {
      const { nodeID } = identityOf(call);
      await retried(() => setSpec(nodeID, { Availability: 'drain' }));
      log.info('a node that is about to leave is drained', { node: nodeID });
      return {};
    }),
  };
}
