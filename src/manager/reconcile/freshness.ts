import { isDeepStrictEqual } from 'node:util';
import type { Node, Service, Task, TaskSpec } from '../../model/types.js';
import { nodeMatcher } from '../../scheduler/filters.js';
import type { Nodes } from './nodes.js';

type Difference = 'none' | 'constraints' | 'some';

/**
 * Tells tasks that are what the service asks for from those to be replaced. Tasks of one SpecVersion share their spec, so each
 * version is compared once a pass.
 */
export class Freshness {
  readonly #service: Service;
  readonly #template: TaskSpec;
  readonly #nodes: Nodes;
  readonly #differences = new Map<number, Difference>();
  /** Each spec's constraints are read once a pass, and each node held against them once. */
  readonly #matchers = new Map<TaskSpec, { matches: (node: Node) => boolean; known: Map<string, boolean> }>();

  constructor(service: Service, template: TaskSpec, nodes: Nodes) {
    this.#service = service;
    this.#template = template;
    this.#nodes = nodes;
  }

  /** Constraints that changed replace only tasks on nodes that do not satisfy the new ones. */
  isFresh(task: Task): boolean {
    if (task.SpecVersion === this.#service.SpecVersion) return true;
    const difference = this.#differenceOf(task);
    return difference === 'none' || (difference === 'constraints' && this.#satisfies(this.#template, task));
  }

  /** Whether the task's node satisfies the constraints that bind it: labels of nodes change under running tasks. */
  mayStay(task: Task): boolean {
    return this.#satisfies(this.isFresh(task) ? this.#template : task.Spec, task);
  }

  #differenceOf(task: Task): Difference {
    let difference = this.#differences.get(task.SpecVersion);
    if (difference === undefined) {
      difference = differenceBetween(task.Spec!, this.#template, this.#service.Spec?.TaskTemplate?.LogDriver == null);
      this.#differences.set(task.SpecVersion, difference);
    }
    return difference;
  }

  #satisfies(spec: TaskSpec | null, task: Task): boolean {
    const constraints = spec?.Placement?.Constraints ?? [];
    if (spec === null || constraints.length === 0) return true;
    let matcher = this.#matchers.get(spec);
    if (matcher === undefined) {
      matcher = { matches: nodeMatcher(constraints), known: new Map() };
      this.#matchers.set(spec, matcher);
    }
    let answer = matcher.known.get(task.NodeID);
    if (answer === undefined) {
      const node = this.#nodes.get(task.NodeID);
      answer = node === undefined || matcher.matches(node);
      matcher.known.set(task.NodeID, answer);
    }
    return answer;
  }
}

function differenceBetween(actual: TaskSpec, wanted: TaskSpec, anyLogDriver: boolean): Difference {
  const LogDriver = anyLogDriver ? null : wanted.LogDriver; // the cluster's default applies to new tasks only
  const expected = { ...wanted, LogDriver };
  const found = anyLogDriver ? { ...actual, LogDriver } : actual;
  if (isDeepStrictEqual(found, expected)) return 'none';
  return isDeepStrictEqual(withoutConstraints(found), withoutConstraints(expected)) ? 'constraints' : 'some';
}

function withoutConstraints(spec: TaskSpec): TaskSpec {
  const { Preferences = [], MaxReplicas = 0, Platforms = [] } = spec.Placement ?? {};
  return { ...spec, Placement: { Constraints: [], Preferences, MaxReplicas, Platforms } };
}
