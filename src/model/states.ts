/**
 * Task states in Docker's order (swarmkit api/types.proto TaskState). A task's observed state only moves forward in it.
 * `ready` is prepared and waiting to be started; everything after `running` is final.
 */
export const taskStates = [
  'new',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'remove',
  'orphaned',
] as const;

export type TaskState = (typeof taskStates)[number];

const ranks = new Map<string, number>(taskStates.map((state, rank) => [state, rank]));

/** Position of a state in Docker's order; -1 for what is not a task state. */
export function rankOf(state: string): number {
  return ranks.get(state) ?? -1;
}

const running = rankOf('running');

/** Whether the task will never run (again). */
export function isFinal(state: string): boolean {
  return rankOf(state) > running;
}

/** Whether `next` is later in Docker's order than `state`. */
export function isAfter(next: string, state: string): boolean {
  return rankOf(next) > rankOf(state);
}
