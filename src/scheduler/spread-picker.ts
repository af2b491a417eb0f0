import type { Candidate } from './fleet.js';
import { GrowingHeap } from './heap.js';
import { type GroupState, type Picker, perService, preferOver, scoreOf } from './pickers.js';
import { type Branch, loadOf, type SpreadTree } from './spread.js';

/**
 * Evens out the tasks of a service over the branches of its spread preferences, level by level, and over nodes at the end. Takes
 * out of the shared tree only what it looks at: a service of few tasks costs little however many nodes there are.
 *
 * The keys of the shared heaps know nothing of the service, so they are lower bounds of ours: what comes to their top is moved to a
 * heap of our own, until the top of that is the best for certain.
 */
export class SpreadPicker implements Picker {
  readonly #tree: SpreadTree;
  readonly #state: GroupState;
  /** Tasks of the service in a branch, on nodes that take no more of them included. */
  readonly #running = new Map<Branch, number>();
  readonly #branches = new Map<Branch, GrowingHeap<Branch>>();
  readonly #nodes = new Map<Branch, GrowingHeap<Candidate>>();
  /** Branches with no room left: room only shrinks during a wave. */
  readonly #full = new Set<Branch>();
  readonly #taken: (() => void)[] = [];

  constructor(tree: SpreadTree, state: GroupState) {
    this.#tree = tree;
    this.#state = state;
    for (const candidate of state.occupied()) this.#count(tree.pathOf(candidate), state.runningOn(candidate));
  }

  next(preferred: Candidate | undefined): Candidate | undefined {
    const preferredPath = preferred === undefined ? [] : this.#tree.pathOf(preferred);
    const chosen = this.#pick(this.#tree.root, preferred, preferredPath);
    if (chosen === undefined) return undefined;
    const path = this.#tree.pathOf(chosen);
    this.#count(path, 1);
    for (const branch of path) branch.tasks++;
    return chosen;
  }

  done(): void {
    for (const putBack of this.#taken) putBack();
  }

  #count(path: readonly Branch[], tasks: number): void {
    for (const branch of path) this.#running.set(branch, this.#runningIn(branch) + tasks);
  }

  #runningIn(branch: Branch): number {
    return this.#running.get(branch) ?? 0;
  }

  #pick(branch: Branch, preferred: Candidate | undefined, preferredPath: readonly Branch[]): Candidate | undefined {
    if (branch.nodes !== undefined) {
      const best = this.#bestNode(branch, branch.nodes);
      const isThere = preferredPath.includes(branch);
      return best === undefined ? undefined : preferOver(this.#state, best, isThere ? preferred : undefined);
    }
    const liked = preferredPath.find(({ parent }) => parent === branch);
    for (let best = this.#bestChild(branch); best !== undefined; best = this.#bestChild(branch)) {
      const alike = liked !== undefined && liked !== best && this.#runningIn(liked) === this.#runningIn(best);
      for (const child of alike && !this.#full.has(liked) ? [liked, best] : [best]) {
        const found = this.#pick(child, preferred, preferredPath);
        if (found !== undefined) return found;
        this.#full.add(child);
      }
    }
    return undefined;
  }

  #bestChild(branch: Branch): Branch | undefined {
    const keyOf = (child: Branch) => this.#runningIn(child) * perService + Math.min(loadOf(child), perService - 1);
    const ours = this.#branches.get(branch) ?? new GrowingHeap<Branch>([], keyOf);
    this.#branches.set(branch, ours);
    for (;;) {
      const known = ours.top();
      if (known !== undefined && this.#full.has(known)) {
        ours.pop();
        continue;
      }
      const unknown = branch.children.top();
      if (unknown === undefined || (known !== undefined && keyOf(known) <= loadOf(unknown))) return known;
      this.#take(branch.children, unknown);
      ours.push(unknown);
    }
  }

  #bestNode(branch: Branch, shared: GrowingHeap<Candidate>): Candidate | undefined {
    const keyOf = (candidate: Candidate) => scoreOf(this.#state, candidate);
    const ours = this.#nodes.get(branch) ?? new GrowingHeap<Candidate>([], keyOf);
    this.#nodes.set(branch, ours);
    for (;;) {
      const known = ours.top();
      if (known !== undefined && !this.#state.fits(known)) {
        ours.pop();
        continue;
      }
      const unknown = shared.top();
      if (unknown === undefined || (known !== undefined && keyOf(known) <= unknown.tasks)) return known;
      this.#take(shared, unknown);
      ours.push(unknown);
    }
  }

  #take<Item>(heap: GrowingHeap<Item>, top: Item): void {
    heap.pop();
    this.#taken.push(() => heap.push(top));
  }
}
