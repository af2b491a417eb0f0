import { ShoalError } from '../model/errors.js';

/** The managers that a node can turn to: those of the Raft group while it is a member of it, else those it was last told of. */
export class KnownManagers {
  constructor(
    /** host:port of this node. */
    private readonly own: () => string,
    private readonly told: () => readonly { Addr: string }[],
    /** Of the group that this node belongs to; undefined while it is no manager. */
    private readonly members: () => readonly { address: string }[] | undefined,
  ) {}

  /** Addresses of every manager but this node. */
  others(): string[] {
    const members = this.members()?.map(({ address }) => address) ?? [];
    const others = new Set([...members, ...this.told().map(({ Addr }) => Addr)]);
    others.delete(this.own());
    return [...others];
  }

  /** The first answer of any manager, our own last. Throws what the last one said. */
  async ask<T>(call: (address: string) => Promise<T>): Promise<T> {
    const addresses = this.members() === undefined ? this.others() : [...this.others(), this.own()];
    let failure: unknown = new ShoalError('unavailable', 'no manager is known');
    for (const address of addresses) {
      try {
        return await call(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
