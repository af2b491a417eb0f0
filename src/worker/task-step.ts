import { isFinal, rankOf } from '../model/states.js';
import type { Task } from '../model/types.js';
import type { Container } from './container.js';

/** How far a task shall come: `forgotten` is one that is no longer assigned. Only ever moves forward. */
export const goals = ['ready', 'running', 'stopped', 'removed', 'forgotten'] as const;
export type Goal = (typeof goals)[number];

/** The goal that a task's DesiredState sets. A job's `complete` means: run until it ends by itself. */
export function goalOf(task: Task): Goal {
  const desired = rankOf(task.DesiredState);
  if (desired >= rankOf('remove')) return 'removed';
  if (desired >= rankOf('shutdown')) return 'stopped';
  return desired >= rankOf('starting') ? 'running' : 'ready';
}

export function laterGoal(a: Goal, b: Goal): Goal {
  return goals.indexOf(a) > goals.indexOf(b) ? a : b;
}

/** Whether the goal is that the task runs, now or later. */
export function isUp(goal: Goal): boolean {
  return goal === 'ready' || goal === 'running';
}

/** What is known of the task's container: `unknown` until the engine was asked, undefined when there is none. */
export type Seen = Container | 'unknown' | undefined;

/**
 * What to do next for a task.
 * accept, prepare, prepared, begin, running: only the reported state changes
 * look: ask the engine about the container    create, start, stop, remove: tell it to
 * ended: the container ended by itself    lost: it is gone though it was started    fail: `fault` ends the task
 * shutdown: it is stopped as it was to be    done: nothing more can happen    wait: something else must happen first
 */
export type Step =
  | 'accept'
  | 'prepare'
  | 'prepared'
  | 'begin'
  | 'running'
  | 'look'
  | 'create'
  | 'start'
  | 'stop'
  | 'remove'
  | 'ended'
  | 'lost'
  | 'fail'
  | 'shutdown'
  | 'done'
  | 'wait';

/**
 * The next step of a task from what was reported (`state`), what is wanted (`goal`), what is there (`seen`) and why it cannot go
 * on (`fault`, else ''). Pure, and the same however the task came there: a fresh agent continues where another one stopped.
 */
export function nextStep(state: string, goal: Goal, seen: Seen, fault: string): Step {
  if (seen === 'unknown') return 'look';
  const ending = isFinal(state) || fault !== '' || !isUp(goal);
  if (ending) return lastStep(state, goal, seen, fault);

  switch (state) {
    case 'accepted':
      return 'prepare';
    case 'preparing':
      return seen === undefined ? 'create' : 'prepared';
    case 'ready':
      if (seen === undefined) return 'create'; // somebody removed it before it was started: no harm done
      return goal === 'running' || seen.started ? 'begin' : 'wait';
    case 'starting':
    case 'running':
      return liveStep(state, seen);
    default:
      return 'accept';
  }
}

function liveStep(state: 'starting' | 'running', container: Container | undefined): Step {
  if (container === undefined) return 'lost';
  if (container.phase === 'exited') return container.started ? 'ended' : 'lost';
  if (container.phase === 'created') return state === 'starting' ? 'start' : 'lost';
  const healthy = container.health === '' || container.health === 'healthy';
  return state === 'starting' && healthy ? 'running' : 'wait';
}

function lastStep(state: string, goal: Goal, container: Container | undefined, fault: string): Step {
  if (container?.phase === 'running') return 'stop';
  if (!isFinal(state)) return fault !== '' ? 'fail' : 'shutdown';
  if (goal !== 'removed' && goal !== 'forgotten') return 'wait';
  if (container !== undefined) return 'remove';
  return goal === 'forgotten' ? 'done' : 'wait';
}
