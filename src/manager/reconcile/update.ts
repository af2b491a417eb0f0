import type { Task, UpdateStatus } from '../../model/types.js';
import type { ServicePass } from './pass.js';
import { isBeyond, timeOf, type UpdatePolicy } from './policy.js';
import { isOccupied } from './replicated.js';
import { isRunning, type Slot } from './slots.js';

/**
 * Rolling updates. Everything about one follows from what is replicated: which slots still have an old spec, how far the
 * tasks made for the others have come, and when (TaskStatus.AppliedAt, .RunningAt). UpdateStatus says which update is on.
 */

/**
 * Whether the task was made to bring its slot to the present spec, and not to restart one that was: the ones whose progress
 * paces the update and whose failure counts against it.
 */
export function isAttempt(pass: ServicePass, task: Task): boolean {
  return task.SpecVersion === pass.service.SpecVersion && task.ReplacesTaskID !== '' && task.StartAfter === '';
}

export function isUpdating(status: UpdateStatus | null): boolean {
  return status?.State === 'updating' || status?.State === 'rollback_started';
}

/**
 * What the failures of an update that is on demand, before anything else is planned for the service. True when the service
 * goes back to its former spec, or this plan has no room to say what follows: the rest waits for the next plan.
 */
export function judgeFailures(pass: ServicePass): boolean {
  const { service } = pass;
  if (!isUpdating(service.UpdateStatus)) return false;
  const rollingBack = service.UpdateStatus!.State === 'rollback_started';
  const policy = pass.update;
  if (policy.failureAction === 'continue') return false;
  const { failed, attempted } = failures(pass, policy);
  if (failed.length === 0 || failed.length / attempted <= policy.maxFailureRatio) return false;
  if (!pass.draft.mayWriteService()) return true;
  const culprit = failed[0]!.ID;
  if (policy.failureAction === 'rollback' && !rollingBack && canRollBack(pass)) {
    rollBack(pass, `update rolled back due to failure or early termination of task ${culprit}`);
    return true;
  }
  writeStatus(pass, {
    State: rollingBack ? 'rollback_paused' : 'paused',
    Message: `${rollingBack ? 'rollback' : 'update'} paused due to failure or early termination of task ${culprit}`,
  });
  return false;
}

/** Slots that the update has touched or will: those of which a share may fail. */
function failures(pass: ServicePass, policy: UpdatePolicy): { failed: Task[]; attempted: number } {
  const since = timeOf(pass.service.UpdateStatus?.StartedAt) ?? Number.NEGATIVE_INFINITY;
  const rollingBack = pass.service.UpdateStatus?.State === 'rollback_started';
  const failed: Task[] = [];
  let attempted = 0;
  for (const slot of pass.slots.values()) {
    const attempts = [...slot.tasks()].filter((task) => isAttempt(pass, task));
    if (attempts.length > 0 || isDirty(pass, slot)) attempted++;
    // A paused update that is resumed starts its count anew. A rollback has a spec version to itself.
    const counted = attempts.filter((task) => rollingBack || (timeOf(task.CreatedAt) ?? since) >= since);
    const failure = counted.find((task) => failedEarly(task, policy));
    if (failure !== undefined) failed.push(failure);
  }
  return { failed, attempted };
}

/** Whether the task ended by itself before its time under observation was over. */
function failedEarly(task: Task, policy: UpdatePolicy): boolean {
  const status = task.Status;
  if (status === null || !['complete', 'failed', 'rejected'].includes(status.State)) return false;
  const runningAt = timeOf(status.RunningAt);
  const endedAt = timeOf(status.AppliedAt);
  return runningAt === undefined || endedAt === undefined || endedAt - runningAt <= policy.monitor_ms;
}

/** Goes one step on with the update: as many slots as may be under way at once get a task of the present spec. */
export function rollForward(pass: ServicePass): void {
  const state = pass.service.UpdateStatus?.State ?? '';
  if (state === 'paused' || state === 'rollback_paused') return;
  const dirty = [...pass.slots.values()].filter((slot) => isDirty(pass, slot));
  const started = isUpdating(pass.service.UpdateStatus);
  if (dirty.length === 0 && !started) return;
  if (!started) {
    if (!pass.draft.mayWriteService()) return;
    start(pass);
  }
  const policy = pass.update;
  const { underWay, observedUntil } = progress(pass, policy);
  const room = policy.parallelism - underWay;
  dirty.sort(byNeed);
  let replaced = 0;
  for (const slot of dirty) {
    if (replaced >= room || !pass.draft.hasRoom()) break;
    replace(pass, slot, policy);
    replaced++;
  }
  if (dirty.length > 0 || underWay > 0) return;
  if (observedUntil > pass.pass.now) pass.wake(observedUntil);
  else if (pass.draft.mayWriteService()) complete(pass);
}

/** Whether nothing in the slot is of the present spec. A task of the old one that has ended for good is replaced too. */
function isDirty(pass: ServicePass, slot: Slot): boolean {
  if (pass.global && !canTakeNew(pass, slot)) return false;
  if (slot.live.length > 0) return !slot.live.some((task) => pass.isBorn(task) || pass.freshness.isFresh(task));
  const newest = slot.newest;
  return newest !== undefined && isOccupied(pass, slot) && !pass.freshness.isFresh(newest);
}

/** A task of a global service has only its own node to go to: on one that takes none now the old stays. */
function canTakeNew(pass: ServicePass, slot: Slot): boolean {
  const node = pass.pass.nodes.get(slot.nodeID);
  return node?.Status?.State === 'ready' && (node.Spec?.Availability || 'active') === 'active' && pass.suits(node);
}

/** Slots that serve nobody come first, as replacing them costs nothing; then the lowest number. */
function byNeed(a: Slot, b: Slot): number {
  return (
    Number(a.live.some(isRunning)) - Number(b.live.some(isRunning)) || a.number - b.number || (a.key < b.key ? -1 : 1)
  );
}

/** How many slots are under way (their new task does not run yet, or its delay is not over), and until when others are observed. */
function progress(pass: ServicePass, policy: UpdatePolicy): { underWay: number; observedUntil: number } {
  let underWay = 0;
  let observedUntil = Number.NEGATIVE_INFINITY;
  for (const slot of pass.slots.values()) {
    const attempt = slot.live.find((task) => isAttempt(pass, task));
    if (attempt === undefined) {
      if (slot.live.some((task) => isOnItsWay(pass, slot, task))) underWay++;
      continue;
    }
    if (!isRunning(attempt)) {
      underWay++;
      continue;
    }
    const stamped = timeOf(attempt.Status?.RunningAt) ?? timeOf(attempt.Status?.Timestamp) ?? pass.pass.now;
    const runningAt = Math.max(stamped, timeOf(attempt.UpdatedAt) ?? 0); // not before it was let run, whatever a clock said
    if (isBeyond(runningAt, pass.pass.now)) continue; // how long it has run cannot be told
    if (runningAt + policy.delay_ms > pass.pass.now) {
      underWay++;
      pass.wake(runningAt + policy.delay_ms);
    }
    observedUntil = Math.max(observedUntil, runningAt + policy.monitor_ms);
  }
  return { underWay, observedUntil };
}

/**
 * Of an update before, and not to be replaced by this one, as its spec is the present one again or its node takes no new task: its slot serves
 * nobody until it runs.
 */
function isOnItsWay(pass: ServicePass, slot: Slot, task: Task): boolean {
  return task.ReplacesTaskID !== '' && task.StartAfter === '' && !isRunning(task) && !isDirty(pass, slot);
}

function replace(pass: ServicePass, slot: Slot, policy: UpdatePolicy): void {
  const serving = slot.live.find(isRunning);
  const replaces = serving ?? slot.newest;
  const startFirst = policy.startFirst && serving !== undefined;
  for (const task of [...slot.live]) if (!(startFirst && task === serving)) pass.stop(slot, task);
  pass.bear(slot, { replaces, startFirst });
}

function start(pass: ServicePass): void {
  writeStatus(pass, {
    State: 'updating',
    StartedAt: new Date(pass.pass.now).toISOString(),
    CompletedAt: '',
    Message: 'update in progress',
  });
}

function complete(pass: ServicePass): void {
  const rollingBack = pass.service.UpdateStatus?.State === 'rollback_started';
  writeStatus(pass, {
    State: rollingBack ? 'rollback_completed' : 'completed',
    CompletedAt: new Date(pass.pass.now).toISOString(),
    Message: rollingBack ? 'rollback completed' : 'update completed',
  });
}

/** The former spec is known, and its ports have not been taken by another service meanwhile. */
function canRollBack(pass: ServicePass): boolean {
  const former = pass.service.PreviousSpec;
  return former !== null && !pass.pass.ports.conflict(pass.service.ID, former.EndpointSpec);
}

function rollBack(pass: ServicePass, message: string): void {
  const { service } = pass;
  pass.writeService({
    Spec: service.PreviousSpec,
    PreviousSpec: null,
    PreviousSpecVersion: 0,
    RegistryAuth: service.PreviousRegistryAuth,
    UpdateStatus: {
      State: 'rollback_started',
      StartedAt: new Date(pass.pass.now).toISOString(),
      CompletedAt: '',
      Message: message,
    },
  });
}

function writeStatus(pass: ServicePass, fields: Partial<UpdateStatus>): void {
  const before = pass.service.UpdateStatus ?? { State: '', StartedAt: '', CompletedAt: '', Message: '' };
  pass.writeService({ UpdateStatus: { ...before, ...fields } });
}
