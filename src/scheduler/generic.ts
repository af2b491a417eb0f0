import type { GenericResource } from '../model/types.js';
import type { GenericDemand } from './demand.js';

/** Generic resources a node has left, by kind: named ones (a certain GPU) by their values, the others counted. */
export class GenericStock {
  readonly #counted = new Map<string, number>();
  readonly #named = new Map<string, Set<string>>();

  constructor(resources: readonly GenericResource[]) {
    this.#change(resources, 1);
  }

  has(demands: readonly GenericDemand[]): boolean {
    return demands.every(({ kind, count }) => {
      const named = this.#named.get(kind);
      return (named === undefined ? (this.#counted.get(kind) ?? 0) : named.size) >= count;
    });
  }

  /** Chooses what satisfies the demands (the caller has asked `has`) and takes it: what the task is told it was given. */
  take(demands: readonly GenericDemand[]): GenericResource[] {
    const taken = demands.flatMap(({ kind, count }) => {
      const named = this.#named.get(kind);
      if (named === undefined) return [counted(kind, count)];
      return [...named]
        .sort()
        .slice(0, count)
        .map((value) => namedOne(kind, value));
    });
    this.remove(taken);
    return taken;
  }

  remove(resources: readonly GenericResource[]): void {
    this.#change(resources, -1);
  }

  giveBack(resources: readonly GenericResource[]): void {
    this.#change(resources, 1);
  }

  #change(resources: readonly GenericResource[], sign: 1 | -1): void {
    for (const { NamedResourceSpec: named, DiscreteResourceSpec: discrete } of resources) {
      if (named) {
        const values = this.#named.get(named.Kind) ?? new Set();
        if (sign === 1) values.add(named.Value);
        else values.delete(named.Value);
        this.#named.set(named.Kind, values);
      } else if (discrete) {
        this.#counted.set(discrete.Kind, (this.#counted.get(discrete.Kind) ?? 0) + sign * discrete.Value);
      }
    }
  }
}

function counted(kind: string, count: number): GenericResource {
  return { NamedResourceSpec: null, DiscreteResourceSpec: { Kind: kind, Value: count } };
}

function namedOne(kind: string, value: string): GenericResource {
  return { NamedResourceSpec: { Kind: kind, Value: value }, DiscreteResourceSpec: null };
}
