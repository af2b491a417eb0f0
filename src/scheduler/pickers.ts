import type { NodeClass } from './class.js';
import type { Candidate } from './fleet.js';
import { GrowingHeap } from './heap.js';

/** What a picker needs to know of the group it picks for. */
export interface GroupState {
  /** Whether the node can take one more task of the group. Once false it stays so for the group. */
  fits(candidate: Candidate): boolean;
  /** Tasks of the service on the node, those placed in this wave included. */
  runningOn(candidate: Candidate): number;
  failuresOn(candidate: Candidate): number;
  /** Nodes with tasks of the service. */
  occupied(): Iterable<Candidate>;
}

/** Chooses the best node for the next task of a group; the caller places it there before it asks again. */
export interface Picker {
  next(preferred: Candidate | undefined): Candidate | undefined;
  /** Called once, when the group is done. */
  done(): void;
}

export const perService = 2 ** 21; // more tasks than one node ever has
const perFailures = 2 ** 42;
const mostFailures = 2 ** 10;

/** Less is better: few failures, then few tasks of the service, then few tasks. Exact below 2^53. */
export function scoreOf(state: GroupState, candidate: Candidate): number {
  const failures = Math.min(state.failuresOn(candidate), mostFailures);
  return failures * perFailures + state.runningOn(candidate) * perService + Math.min(candidate.tasks, perService - 1);
}

/** For groups that are large beside their class: a heap of their own. */
export class HeapPicker implements Picker {
  readonly #state: GroupState;
  readonly #heap: GrowingHeap<Candidate>;

  constructor(candidates: Iterable<Candidate>, state: GroupState) {
    this.#state = state;
    this.#heap = new GrowingHeap(candidates, (candidate) => scoreOf(state, candidate));
  }

  next(preferred: Candidate | undefined): Candidate | undefined {
    for (;;) {
      const best = this.#heap.top();
      if (best === undefined) return undefined;
      if (this.#state.fits(best)) return preferOver(this.#state, best, preferred);
      this.#heap.pop();
    }
  }

  done(): void {}
}

/**
 * For groups that are small beside their class: takes untouched nodes from the class's own heap, which costs the group no look
 * at all nodes. When no untouched node fits any more it goes on as a HeapPicker.
 */
export class SharedPicker implements Picker {
  readonly #nodes: NodeClass;
  readonly #state: GroupState;
  readonly #aside: Candidate[] = [];
  #rest: HeapPicker | undefined;

  constructor(nodes: NodeClass, state: GroupState) {
    this.#nodes = nodes;
    this.#state = state;
  }

  next(preferred: Candidate | undefined): Candidate | undefined {
    if (this.#rest !== undefined) return this.#rest.next(preferred);
    const heap = this.#nodes.byTasks;
    for (let best = heap.top(); best !== undefined; best = heap.top()) {
      const untouched = this.#state.runningOn(best) === 0 && this.#state.failuresOn(best) === 0;
      if (untouched && this.#state.fits(best)) return preferOver(this.#state, best, preferred);
      heap.pop();
      this.#aside.push(best);
    }
    this.#rest = new HeapPicker(this.#aside, this.#state);
    return this.#rest.next(preferred);
  }

  done(): void {
    for (const candidate of this.#aside) this.#nodes.byTasks.push(candidate);
  }
}

/** `preferred` where it is as good for the spread of the service as `best`, however many tasks of others it has. */
export function preferOver(state: GroupState, best: Candidate, preferred: Candidate | undefined): Candidate {
  if (preferred === undefined || preferred === best || !state.fits(preferred)) return best;
  const alike =
    state.runningOn(preferred) === state.runningOn(best) && state.failuresOn(preferred) <= state.failuresOn(best);
  return alike ? preferred : best;
}
