import type { Random } from '../../model/random.js';

export interface Manager {
  nodeID: string;
  /** host:port of its cluster port. */
  address: string;
  preferred: boolean;
}

/**
 * Which manager a node turns to: the preferred one first, then the others in any order, itself last (a node that is its own manager would
 * not be missed when both go down).
 */
export class ManagerChoice {
  private managers: readonly Manager[];
  /** Addresses that failed since one last worked. */
  private readonly failedSince = new Set<string>();

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
    for (const address of this.failedSince) if (!known.has(address)) this.failedSince.delete(address);
  }

  next(): Manager {
    if (this.triedAll()) this.failedSince.clear();
    const left = this.managers.filter((one) => !this.failedSince.has(one.address));
    const preferred = left.find((one) => one.preferred);
    if (preferred !== undefined) return preferred;
    const others = left.filter((one) => one.nodeID !== this.self);
    const candidates = others.length > 0 ? others : left;
    return candidates[this.random.below(candidates.length)]!;
  }

  failed(address: string): void {
    this.failedSince.add(address);
  }

  worked(address: string): void {
    this.failedSince.delete(address);
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
