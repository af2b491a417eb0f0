import type { Message } from '../../../src/raft/core/types.js';
import type { Transport, TransportReceiver } from '../../../src/raft/transport/transport.js';
import { decodeBatch, encodeBatch } from '../../../src/raft/wire/message.js';
import type { World } from '../world.js';

/** One number for the way from one to another; there are never a thousand of them. */
const linkOf = (from: number, to: number) => from * 1000 + to;

/** Drops, delays, doubles, reorders and cuts. */
export class Network {
  private readonly receivers = new Map<number, TransportReceiver>();
  /** Links that are cut, and how many times over. */
  private readonly cuts = new Map<number, number>();
  /** In 1000. */
  dropRate = 0;
  duplicateRate = 0;
  /** In 1000: messages that take seconds. */
  stragglerRate = 0;
  maxDelay_ms = 5;
  /** How many messages each member got. */
  readonly delivered = new Map<number, number>();

  constructor(private readonly world: World) {}

  /** Cuts what goes from one to another; the result mends it. */
  cut(from: number, to: number): () => void {
    return this.cutAll([[from, to]]);
  }

  cutAll(links: readonly [from: number, to: number][]): () => void {
    const names = links.map(([from, to]) => linkOf(from, to));
    for (const name of names) this.cuts.set(name, (this.cuts.get(name) ?? 0) + 1);
    return () => {
      for (const name of names) {
        const times = this.cuts.get(name) ?? 0;
        if (times > 1) this.cuts.set(name, times - 1);
        else this.cuts.delete(name);
      }
    };
  }

  private isCut(from: number, to: number): boolean {
    return this.cuts.size > 0 && this.cuts.has(linkOf(from, to));
  }

  /** Mends everything. */
  heal(): void {
    this.cuts.clear();
  }

  detach(id: number): void {
    this.receivers.delete(id);
  }

  transport(id: number): Transport {
    let attached: TransportReceiver | undefined;
    return {
      start: (_self, receiver) => {
        attached = receiver;
        this.receivers.set(id, receiver);
      },
      setPeers: () => {},
      send: (messages) => {
        if (attached !== undefined && this.receivers.get(id) === attached) this.send(id, messages, attached);
      },
      stop: async () => {
        if (this.receivers.get(id) === attached) this.receivers.delete(id);
      },
    };
  }

  private send(from: number, messages: readonly Message[], sender: TransportReceiver): void {
    for (const message of messages) {
      const lost = this.isCut(from, message.to) || this.world.random.below(1000) < this.dropRate;
      if (lost) {
        if (this.world.oneIn(4))
          this.world.after(1, () => this.receivers.get(from) === sender && sender.unreachable(message.to));
        continue;
      }
      const copies = this.world.random.below(1000) < this.duplicateRate ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) this.deliver(message);
    }
  }

  private deliver(message: Message): void {
    // Through the wire format now and then, so that what it does not carry is missed.
    const [received] = this.world.oneIn(8) ? decodeBatch(encodeBatch([message])) : [message];
    const late = this.world.random.below(1000) < this.stragglerRate;
    this.world.after(late ? this.world.between(100, 6000) : this.world.between(1, this.maxDelay_ms), () => {
      if (this.isCut(message.from, message.to)) return;
      this.delivered.set(message.to, (this.delivered.get(message.to) ?? 0) + 1);
      this.receivers.get(message.to)?.receive([received as Message]);
    });
  }
}
