import type { TaskSpec } from '../model/types.js';
import { type Filter, filtersOf, needsEncryption, pluginsNeeded } from './filters.js';
import type { Candidate, Fleet } from './fleet.js';
import { GrowingHeap } from './heap.js';
import { type Spread, SpreadTree } from './spread.js';

/**
 * The nodes that pass the steady filters of a spec. Specs that ask the same of nodes share one class, so a wave of many small
 * services looks at every node once a class, not once a service.
 */
export class NodeClass {
  readonly candidates: readonly Candidate[];
  readonly #members: ReadonlySet<Candidate>;
  #byTasks: GrowingHeap<Candidate> | undefined;
  readonly #trees = new Map<string, SpreadTree>();

  constructor(fleet: Fleet, filters: readonly Filter[]) {
    const steady = filters.filter((filter) => filter.steady);
    this.candidates = fleet.candidates.filter((candidate) => steady.every((filter) => filter.passes(candidate, 0)));
    this.#members = new Set(this.candidates);
  }

  has(candidate: Candidate): boolean {
    return this.#members.has(candidate);
  }

  /** The class's nodes by their number of tasks; shared by all groups, which put back what they take out. */
  get byTasks(): GrowingHeap<Candidate> {
    this.#byTasks ??= new GrowingHeap(this.candidates, (candidate) => candidate.tasks);
    return this.#byTasks;
  }

  /** The class's nodes as they are spread over; shared as `byTasks` is. */
  spreadOver({ key, descriptors }: Spread): SpreadTree {
    let tree = this.#trees.get(key);
    if (tree === undefined) {
      tree = new SpreadTree(this.candidates, descriptors);
      this.#trees.set(key, tree);
    }
    return tree;
  }
}

/** Classes of one wave, by what their specs ask of nodes. */
export class NodeClasses {
  readonly #fleet: Fleet;
  readonly #classes = new Map<string, NodeClass>();

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
  }

  of(spec: TaskSpec): NodeClass {
    const key = steadyDemands(spec, this.#fleet);
    let found = this.#classes.get(key);
    if (found === undefined) {
      found = new NodeClass(this.#fleet, filtersOf(spec, this.#fleet));
      this.#classes.set(key, found);
    }
    return found;
  }
}

/** The part of a spec that steady filters look at, as a key. */
export function steadyDemands(spec: TaskSpec, { encryptedNetworks }: Pick<Fleet, 'encryptedNetworks'>): string {
  const { Constraints: constraints = [], Platforms: platforms = [] } = spec.Placement ?? {};
  const logDriver = spec.LogDriver?.Name ?? '';
  const mounts = spec.ContainerSpec?.Mounts ?? [];
  const encrypts = needsEncryption(spec, encryptedNetworks);
  if (!encrypts && constraints.length === 0 && platforms.length === 0 && logDriver === '' && mounts.length === 0) {
    return '';
  }
  return JSON.stringify([constraints, platforms, logDriver, pluginsNeeded(spec), encrypts]);
}
