import type { Random } from '../../model/random.js';

interface Known {
  nodeID: string;
  address: string;
  preferred: boolean;
}

/** Which manager a node turns to: the preferred one first, then the others in turn, starting anywhere. */
export class ManagerChoice {
  private managers: Known[];
  /** Addresses that failed since one last worked. */
  private readonly failedSince = new Set<string>();

  constructor(
    known: readonly { nodeID: string; address: string }[],
    private readonly random: Random,
  ) {
    this.managers = known.map((one) => ({ ...one, preferred: false }));
  }

  set(managers: readonly Known[]): void {
    if (managers.length > 0) this.managers = [...managers];
  }

  next(): Known {
    if (this.triedAll()) this.failedSince.clear();
    const left = this.managers.filter((one) => !this.failedSince.has(one.address));
    const preferred = left.find((one) => one.preferred);
    const chosen = preferred ?? left[this.random.below(left.length)];
    if (chosen === undefined) throw new Error('a node must know at least one manager');
    return chosen;
  }

  failed(address: string): void {
    this.failedSince.add(address);
  }

  worked(address: string): void {
    this.failedSince.delete(address);
  }

  /** Whether every known manager has failed since the last look at all of them. */
  triedAll(): boolean {
    return this.managers.every((one) => this.failedSince.has(one.address));
  }

  /** Whether a session with the manager at `address` should move to the preferred one, which has not failed. */
  shouldMove(address: string): boolean {
    const preferred = this.managers.find((one) => one.preferred);
    return preferred !== undefined && preferred.address !== address && !this.failedSince.has(preferred.address);
  }
}
