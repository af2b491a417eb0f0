import type { Random } from '../model/random.js';
import { defaultLimits } from './core/context.js';
import { RaftCore } from './core/core.js';
import { membershipOf } from './core/membership.js';
import type { Recovered } from './core/state.js';
import type { Entry } from './core/types.js';
import { RaftMember } from './driver/member.js';
import type { Disk } from './log/disk.js';
import type { Sealer } from './log/sealer.js';
import { RaftStorage } from './log/storage.js';
import type { Member, RaftNode } from './node.js';
import type { RaftOptions } from './options.js';
import { encodeMembership } from './wire/membership.js';

const defaultSegmentBytes = 16 * 1024 * 1024;

/**
 * Writes the empty log of a member that is about to join a group. To be done before the member's id is: from then on it starts as
 * `returning`, and a log that is gone is told from one that was never there.
 */
export async function layOutRaft(disk: Disk, sealer?: Sealer): Promise<void> {
  const { storage } = await RaftStorage.open(disk, { segmentBytes: defaultSegmentBytes, sealer });
  await storage.close();
}

/**
 * Starts one member of a Raft group, from what its disk holds. It takes part as soon as this resolves; a member that is alone leads
 * by then, with its whole log applied. Throws ShoalError `failed-precondition` when the disk's content is damaged, or gone.
 */
export async function startRaft(options: RaftOptions): Promise<RaftNode> {
  const { storage, recovered, isNew } = await RaftStorage.open(options.disk, {
    segmentBytes: options.segmentBytes ?? defaultSegmentBytes,
    sealer: options.sealer,
    mustExist: options.returning === true,
  });
  try {
    return await startMember(options, storage, recovered, isNew);
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function startMember(
  options: RaftOptions,
  storage: RaftStorage,
  recovered: Recovered,
  isNew: boolean,
): Promise<RaftNode> {
  const { self, stateMachine, clock, random } = options;
  let start = recovered;
  if (isNew && options.bootstrap !== undefined) start = await bootstrap(storage, options.bootstrap);
  else if (options.forceNewCluster === true) start = await forceNewCluster(storage, recovered, self);
  if (start.snapshot !== undefined) {
    await stateMachine.restore(start.snapshot.index, storage.chunks(start.snapshot));
  }
  const electionTicks = options.electionTicks ?? defaultLimits.electionTicks;
  // Five chances to be heard before anybody stands for election. More cost each member a few percent of a processor while nothing happens.
  const heartbeatTicks = Math.max(1, Math.floor(electionTicks / 5));
  const timing = { electionTicks, heartbeatTicks };
  const core = new RaftCore({ ...defaultLimits, ...options.limits, ...timing, id: self.id, random }, start);
  const member = new RaftMember(options, core, storage, {
    tick_ms: options.tick_ms ?? 100,
    requestTimeout_ms: options.requestTimeout_ms ?? 5_000,
    session: drawSession(random, clock.now()),
  });
  await member.start();
  return member;
}

/** A number that no other run of any member has: the time in milliseconds, and chance. Leaves room to count from. */
function drawSession(random: Random, now_ms: number): number {
  return (Math.max(0, Math.floor(now_ms)) % 2 ** 32) * 2 ** 20 + random.below(2 ** 20) + 1;
}

/** The first entry of a new cluster says who its members are; every one of them starts with the same. */
async function bootstrap(storage: RaftStorage, members: readonly Member[]): Promise<Recovered> {
  const data = encodeMembership(membershipOf(members));
  const entry: Entry = { index: 1, term: 1, type: 'membership', data, session: 0, sequence: 0 };
  const hardState = { term: 1, vote: 0, commit: 1 };
  await storage.append({ entries: [entry], hardState });
  return { hardState, base: { index: 0, term: 0 }, entries: [entry], snapshot: undefined };
}

/**
 * Makes this member the only one, in a term of its own. Its whole log counts as committed: what a majority that is gone had
 * acknowledged is in there, as far as this member ever got it.
 */
async function forceNewCluster(storage: RaftStorage, recovered: Recovered, self: Member): Promise<Recovered> {
  const index = recovered.base.index + recovered.entries.length + 1;
  const term = recovered.hardState.term + 1;
  const data = encodeMembership(membershipOf([self]));
  const entry: Entry = { index, term, type: 'membership', data, session: 0, sequence: 0 };
  const hardState = { term, vote: self.id, commit: index };
  await storage.append({ entries: [entry], hardState });
  return { ...recovered, hardState, entries: [...recovered.entries, entry] };
}
