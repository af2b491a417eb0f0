import type { ChannelCredentials } from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf } from '../model/errors.js';
import { callOnce } from '../security/rpc.js';
import type { WorkerSide } from './worker-side.js';

/** What a node that leaves its cluster has to say goodbye with. */
export interface Leaving {
  /** host:port of the other managers, to be asked in turn. */
  managers: readonly string[];
  credentials: ChannelCredentials;
  clock: Clock;
  log: Logger;
}

const drain_ms = 5_000; // for a manager to have it committed
const said_ms = 5_000; // for word of the routes and of the end of a task, besides its stop grace
const look_ms = 50;
const leaveRaft_ms = 15_000;

/**
 * Has the node's tasks stop as in an update: first no node sends them anything any more, then they are told to stop. Resolves when all
 * have ended, or once drain and stop of the slowest had their grace each; never rejects.
 */
export async function drainNode(leaving: Leaving, worker: Pick<WorkerSide, 'openGrace_ms'>): Promise<void> {
  const { clock } = leaving;
  const grace_ms = worker.openGrace_ms;
  if (grace_ms === undefined) return;
  const asked = await askInTurn(leaving, 'the tasks of this node stop without a drain', (manager) =>
    callOnce('Membership', 'Drain', manager, {}, { credentials: leaving.credentials, timeout_ms: drain_ms }),
  );
  const end_ms = clock.monotonic() + 2 * grace_ms + said_ms;
  while (asked && worker.openGrace_ms !== undefined && clock.monotonic() < end_ms) {
    await new Promise<void>((resolve) => clock.after(look_ms, resolve));
  }
}

/** Takes this manager out of the Raft group. Never rejects: a manager that is to leave by force does so when nobody answers, too. */
export async function leaveRaft(leaving: Leaving): Promise<void> {
  await askInTurn(leaving, 'this manager could not leave the Raft group', (manager) =>
    callOnce('Membership', 'LeaveRaft', manager, {}, { credentials: leaving.credentials, timeout_ms: leaveRaft_ms }),
  );
}

/** Whether one of the managers did what it was asked. */
async function askInTurn(
  { managers, log }: Leaving,
  failure: string,
  ask: (manager: string) => Promise<unknown>,
): Promise<boolean> {
  for (const manager of managers) {
    try {
      await ask(manager);
      return true;
    } catch (error) {
      log.warn(failure, { through: manager, reason: messageOf(error) });
    }
  }
  return false;
}
