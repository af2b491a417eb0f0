import { labelOf } from '../model/constraints.js';
import type { Node, TaskSpec } from '../model/types.js';
import type { Candidate } from './fleet.js';
import { GrowingHeap } from './heap.js';

const nodeLabels = 'node.labels.';
const engineLabels = 'engine.labels.';

/** Reads the value of a spread preference from a node; a node without the label belongs with the others that lack it. */
type Descriptor = (node: Node) => string;

/** What the tasks of a spec are to be spread over, from the outermost in. */
export interface Spread {
  /** The same for specs that spread alike. */
  key: string;
  descriptors: readonly Descriptor[];
}

/** The spread preferences of a spec; undefined when it has none. What Docker does not know it skips, and so do we. */
export function spreadOf(spec: TaskSpec): Spread | undefined {
  const preferences = spec.Placement?.Preferences;
  if (preferences === undefined || preferences.length === 0) return undefined;
  const texts = preferences.map(({ Spread }) => Spread?.SpreadDescriptor ?? '');
  const descriptors = texts.map(descriptorOf).filter((descriptor) => descriptor !== undefined);
  return descriptors.length === 0 ? undefined : { key: texts.join('\n'), descriptors };
}

function descriptorOf(text: string): Descriptor | undefined {
  const lower = text.toLowerCase();
  if (lower.startsWith(nodeLabels) && text.length > nodeLabels.length) {
    const label = text.slice(nodeLabels.length);
    return (node) => labelOf(node.Spec?.Labels, label);
  }
  if (lower.startsWith(engineLabels) && text.length > engineLabels.length) {
    const label = text.slice(engineLabels.length);
    return (node) => labelOf(node.Description?.Engine?.Labels, label);
  }
  return undefined;
}

/** Nodes that have the same values of the preferences so far. */
export interface Branch {
  readonly parent: Branch | undefined;
  readonly byValue: ReadonlyMap<string, Branch>;
  /** By their load; empty of the innermost. */
  readonly children: GrowingHeap<Branch>;
  /** Of the innermost, by their tasks. */
  readonly nodes: GrowingHeap<Candidate> | undefined;
  readonly size: number;
  /** On the branch's nodes when the wave began, and placed since by those who spread over this tree. */
  tasks: number;
}

/** Tasks a node: what breaks ties between branches, so that many small services fill them evenly. */
export function loadOf(branch: Branch): number {
  return branch.tasks / branch.size;
}

/**
 * The nodes of a class by the values of spread preferences, level by level. Made once a wave for all services that spread alike; they
 * put back into its heaps what they take out.
 */
export class SpreadTree {
  readonly root: Branch;
  readonly #descriptors: readonly Descriptor[];

  constructor(candidates: readonly Candidate[], descriptors: readonly Descriptor[]) {
    this.#descriptors = descriptors;
    this.root = this.#grow(candidates, 0, undefined);
  }

  /** The branches that a node belongs to, from the root in, whether it is of the class or not; those that no node of the class has are left out. */
  pathOf(candidate: Candidate): Branch[] {
    const path = [this.root];
    for (const descriptor of this.#descriptors) {
      const next = path.at(-1)!.byValue.get(descriptor(candidate.node));
      if (next === undefined) break;
      path.push(next);
    }
    return path;
  }

  #grow(members: readonly Candidate[], depth: number, parent: Branch | undefined): Branch {
    const descriptor = this.#descriptors[depth];
    const byValue = new Map<string, Branch>();
    const isInnermost = descriptor === undefined;
    const branch = {
      parent,
      byValue,
      children: new GrowingHeap<Branch>([], loadOf),
      nodes: isInnermost ? new GrowingHeap(members, (candidate) => candidate.tasks) : undefined,
      size: members.length,
      tasks: members.reduce((sum, member) => sum + member.tasks, 0),
    };
    if (isInnermost) return branch;
    const groups = new Map<string, Candidate[]>();
    for (const member of members) {
      const value = descriptor(member.node);
      const alike = groups.get(value);
      if (alike === undefined) groups.set(value, [member]);
      else alike.push(member);
    }
    for (const [value, alike] of groups) {
      const child = this.#grow(alike, depth + 1, branch);
      byValue.set(value, child);
      branch.children.push(child);
    }
    return branch;
  }
}
