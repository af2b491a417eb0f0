import type { Random } from '../../model/random.js';

export interface Manager {
  nodeID: string;
  /** host:port of its cluster port. */
  address: string;
  preferred: boolean;
}

/**
 * Which manager a node turns to: the preferred one first, then the others in any order, itself last (a node that is its own manager would
 * not be missed when both go down); but those that did not even answer come after all that did, or half of the tries after a host's
 * death would be spent on it.
 */
export class ManagerChoice {
  private managers: readonly Manager[];
  /** Addresses that failed since one last worked. */
  private readonly failedSince = new Set<string>();
  /** Addresses that gave no answer when they were tried last. */
  private readonly mute = new Set<string>();

  /** At least one manager must be known. */
  constructor(
    private readonly self: string,
    known: readonly { nodeID: string; address: string }[],
    private readonly random: Random,
  ) {
    if (known.length === 0) throw new Error('a node must know at least one manager');
    this.managers = known.map((one) => ({ ...one, preferred: false }));
  }

  /** What a manager says of all of them. A list of none is no list. */
  set(managers: readonly Manager[]): void {
    if (managers.length === 0) return;
    this.managers = [...managers];
    const known = new Set(managers.map((one) => one.address));
    for (const past of [this.failedSince, this.mute]) {
      for (const address of past) if (!known.has(address)) past.delete(address);
    }
  }

  next(): Manager {
    if (this.triedAll()) this.failedSince.clear();
    const untried = this.managers.filter((one) => !this.failedSince.has(one.address));
    const answering = untried.filter((one) => !this.mute.has(one.address));
    const left = answering.length > 0 ? answering : untried;
    const preferred = left.find((one) => one.preferred);
    if (preferred !== undefined) return preferred;
    const others = left.filter((one) => one.nodeID !== this.self);
    const candidates = others.length > 0 ? others : left;
    return candidates[this.random.below(candidates.length)]!;
  }

  /** `answered`: the manager is there and refused. */
  failed(address: string, { answered }: { answered: boolean }): void {
    this.failedSince.add(address);
    if (answered) this.mute.delete(address);
    else this.mute.add(address);
  }

  worked(address: string): void {
    this.failedSince.delete(address);
    this.mute.delete(address);
  }

  /** Whether every known manager has failed since the last round of all of them. */
  triedAll(): boolean {
    return this.managers.every((one) => this.failedSince.has(one.address));
  }

  /** The preferred manager, when it is not the one at `address`. */
  betterThan(address: string): (Manager & { failed: boolean }) | undefined {
    const preferred = this.managers.find((one) => one.preferred);
    if (preferred === undefined || preferred.address === address) return undefined;
    return { ...preferred, failed: this.failedSince.has(preferred.address) };
  }
}
