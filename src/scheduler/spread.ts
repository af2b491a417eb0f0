import { labelOf } from '../model/constraints.js';
import type { Node, TaskSpec } from '../model/types.js';
import type { Candidate } from './fleet.js';
import { GrowingHeap } from './heap.js';
import { type GroupState, HeapPicker, type Picker } from './pickers.js';

const nodeLabels = 'node.labels.';
const engineLabels = 'engine.labels.';

/** Reads the value of a spread preference from a node; a node without the label belongs with the others that lack it. */
type Descriptor = (node: Node) => string;

/** The spread preferences of a spec, from the outermost in. What Docker does not know it skips, and so do we. */
export function descriptorsOf(spec: TaskSpec): Descriptor[] {
  const descriptors: Descriptor[] = [];
  for (const { Spread } of spec.Placement?.Preferences ?? []) {
    const text = Spread?.SpreadDescriptor ?? '';
    const lower = text.toLowerCase();
    if (lower.startsWith(nodeLabels) && text.length > nodeLabels.length) {
      const label = text.slice(nodeLabels.length);
      descriptors.push((node) => labelOf(node.Spec?.Labels, label));
    } else if (lower.startsWith(engineLabels) && text.length > engineLabels.length) {
      const label = text.slice(engineLabels.length);
      descriptors.push((node) => labelOf(node.Description?.Engine?.Labels, label));
    }
  }
  return descriptors;
}

interface Branch {
  /** Tasks of the service in the branch, on nodes that can take no more of them included. */
  running: number;
  parent: Branch | undefined;
  children: GrowingHeap<Branch> | undefined;
  nodes: HeapPicker | undefined;
}

/** Evens out the tasks of a service over the values of its spread preferences, level by level, and over nodes at the end. */
export class SpreadPicker implements Picker {
  readonly #root: Branch;
  readonly #leafOf = new Map<Candidate, Branch>();

  /** `candidates`: the nodes to choose from. Tasks of the service on other nodes weigh on their branches too. */
  constructor(candidates: readonly Candidate[], descriptors: readonly Descriptor[], state: GroupState) {
    const others = state.occupied();
    this.#root = this.#grow(
      [...new Set([...candidates, ...others])],
      new Set(candidates),
      descriptors,
      state,
      undefined,
    );
  }

  next(preferred: Candidate | undefined): Candidate | undefined {
    const chosen = pick(this.#root, preferred, this.#pathOf(preferred));
    for (const branch of this.#pathOf(chosen)) branch.running++;
    return chosen;
  }

  done(): void {}

  #grow(
    members: Candidate[],
    eligible: ReadonlySet<Candidate>,
    descriptors: readonly Descriptor[],
    state: GroupState,
    parent: Branch | undefined,
  ): Branch {
    const running = members.reduce((sum, member) => sum + state.runningOn(member), 0);
    const branch: Branch = { running, parent, children: undefined, nodes: undefined };
    const [descriptor, ...inner] = descriptors;
    if (descriptor === undefined) {
      const choosable = members.filter((member) => eligible.has(member));
      branch.nodes = new HeapPicker(choosable, state);
      for (const member of choosable) this.#leafOf.set(member, branch);
      return branch;
    }
    const byValue = new Map<string, Candidate[]>();
    for (const member of members) {
      const value = descriptor(member.node);
      const alike = byValue.get(value);
      if (alike === undefined) byValue.set(value, [member]);
      else alike.push(member);
    }
    const children = [...byValue.values()].map((of) => this.#grow(of, eligible, inner, state, branch));
    branch.children = new GrowingHeap(children, (child) => child.running);
    return branch;
  }

  #pathOf(candidate: Candidate | undefined): Set<Branch> {
    const path = new Set<Branch>();
    let branch = candidate === undefined ? undefined : this.#leafOf.get(candidate);
    for (; branch !== undefined; branch = branch.parent) path.add(branch);
    return path;
  }
}

/** The best node below `branch`. Branches with no room left are dropped on the way: room only shrinks during a wave. */
function pick(
  branch: Branch,
  preferred: Candidate | undefined,
  preferredPath: ReadonlySet<Branch>,
): Candidate | undefined {
  if (branch.nodes !== undefined) return branch.nodes.next(preferredPath.has(branch) ? preferred : undefined);
  const children = branch.children!;
  for (let best = children.top(); best !== undefined; best = children.top()) {
    for (const child of preferredPath) {
      if (child.parent !== branch || child === best || child.running !== best.running) continue;
      const found = pick(child, preferred, preferredPath);
      if (found !== undefined) return found;
    }
    const found = pick(best, preferred, preferredPath);
    if (found !== undefined) return found;
    children.pop();
  }
  return undefined;
}
