import { type CoreOptions, defaultLimits } from '../../src/raft/core/context.js';
import { RaftCore, type Ready } from '../../src/raft/core/core.js';
import { membershipOf } from '../../src/raft/core/membership.js';
import type { Recovered } from '../../src/raft/core/state.js';
import type { Entry, HardState, Message, MessageOf, MessageType, SnapshotMeta } from '../../src/raft/core/types.js';
import type { Member } from '../../src/raft/node.js';

export const memberOf = (id: number): Member => ({ id, nodeID: `node-${id}`, address: `host-${id}` });
export const members = (...ids: number[]) => membershipOf(ids.map(memberOf));

export const entryOf = (index: number, term: number, text = ''): Entry => ({
  index,
  term,
  type: text === '' ? 'noop' : 'normal',
  data: Buffer.from(text),
  session: 0,
  sequence: 0,
});

export interface Start {
  voters: number[];
  learners?: number[];
  hardState?: Partial<HardState>;
  /** The terms of the entries 1, 2, … */
  terms?: number[];
}

/** One core whose disk is this object: with `auto`, everything is durable at once; else when `sync` is called. */
export class Bench {
  core: RaftCore;
  readonly out: Message[] = [];
  readonly applied: Entry[] = [];
  readonly disk: { hardState: HardState; entries: Entry[]; snapshot: SnapshotMeta | undefined };
  auto = true;

  constructor(
    readonly id: number,
    start: Start,
    private readonly limits: Partial<CoreOptions> = {},
  ) {
    const membership = membershipOf(start.voters.map(memberOf), (start.learners ?? []).map(memberOf));
    this.disk = {
      hardState: { term: 0, vote: 0, commit: 0, ...start.hardState },
      entries: (start.terms ?? []).map((term, at) => entryOf(at + 2, term, `${at + 2}`)),
      // As if everybody had started from a snapshot of entry 1.
      snapshot: { index: 1, term: 1, membership },
    };
    if (this.disk.hardState.term === 0) this.disk.hardState.term = 1;
    this.core = this.boot();
  }

  private boot(): RaftCore {
    const { hardState, entries, snapshot } = this.disk;
    const base = { index: snapshot?.index ?? 0, term: snapshot?.term ?? 0 };
    const recovered: Recovered = { hardState: { ...hardState }, base, entries, snapshot };
    const random = { below: () => 0 };
    return new RaftCore({ ...defaultLimits, id: this.id, random, ...this.limits }, recovered);
  }

  /** Only what is on disk is left. */
  restart(): void {
    this.out.length = 0;
    this.core = this.boot();
  }

  /** Brings everything that is out of the core where it belongs. */
  pump(): void {
    for (;;) {
      this.out.push(...this.core.takeMessages());
      if (!this.auto || !this.sync()) break;
    }
    this.applied.push(...this.core.takeCommitted());
  }

  private pending: Ready | undefined;

  /** What waits for the disk. */
  takeReady(): Ready | undefined {
    this.pending ??= this.core.takeReady();
    return this.pending;
  }

  /** Makes what waits for the disk durable; false when there is nothing. */
  sync(): boolean {
    const ready = this.takeReady();
    if (ready === undefined) return false;
    this.pending = undefined;
    const { disk } = this;
    if (ready.snapshot !== undefined) {
      disk.snapshot = ready.snapshot;
      disk.entries = [];
    }
    const [first] = ready.entries;
    if (first !== undefined) disk.entries = disk.entries.filter((entry) => entry.index < first.index);
    disk.entries.push(...ready.entries);
    if (ready.hardState !== undefined) disk.hardState = { ...ready.hardState };
    this.core.synced(ready);
    this.out.push(...ready.messages, ...this.core.takeMessages());
    if (!this.auto) this.applied.push(...this.core.takeCommitted());
    return true;
  }

  step(message: Message): void {
    this.core.step(message);
    this.pump();
  }

  tick(count = 1): void {
    for (let at = 0; at < count; at++) {
      this.core.tick();
      this.pump();
    }
  }

  /** What was sent of a type since the last call; other messages are forgotten. */
  sent<T extends MessageType>(type: T): MessageOf<T>[] {
    return this.out.splice(0).filter((message) => message.type === type) as MessageOf<T>[];
  }

  /** Makes it leader, by votes of everyone. */
  lead(): this {
    this.tick(10);
    const { term } = this.core;
    for (const type of ['pre-vote-response', 'vote-response'] as const) {
      for (const { id } of this.core.membership.voters) {
        if (id === this.id || this.core.role === 'leader') continue;
        this.step({ type, from: id, to: this.id, term: term + 1, reject: false });
      }
    }
    return this;
  }

  propose(text: string, sequence = 1): ReturnType<RaftCore['propose']> {
    const answer = this.core.propose({ session: this.id, sequence, lowest: 1, data: Buffer.from(text) });
    this.pump();
    return answer;
  }

  /** A message from the leader of this bench's term. */
  append(from: number, term: number, prev: [number, number], entries: Entry[], commit = 0): void {
    const [prevIndex, prevTerm] = prev;
    this.step({ type: 'append', from, to: this.id, term, prevIndex, prevTerm, entries, commit });
  }
}

/** Several cores and a network that delivers everything at once, unless told otherwise. */
export class Group {
  readonly benches = new Map<number, Bench>();
  /** False: the message is lost. */
  passes: (message: Message) => boolean = () => true;

  constructor(ids: number[], limits: Partial<CoreOptions> = {}, starts: Record<number, Partial<Start>> = {}) {
    for (const id of ids) this.benches.set(id, new Bench(id, { voters: ids, ...starts[id] }, limits));
  }

  at(id: number): Bench {
    return this.benches.get(id) as Bench;
  }

  /** Delivers until nothing is under way. */
  settle(): this {
    for (let round = 0; round < 1000; round++) {
      const messages = [...this.benches.values()].flatMap((bench) => {
        bench.pump();
        return bench.out.splice(0);
      });
      if (messages.length === 0) return this;
      for (const message of messages) if (this.passes(message)) this.benches.get(message.to)?.step(message);
    }
    throw new Error('the group does not settle');
  }

  tick(count = 1, ids: Iterable<number> = this.benches.keys()): this {
    const ticking = [...ids];
    for (let at = 0; at < count; at++) {
      for (const id of ticking) this.at(id).core.tick();
      this.settle();
    }
    return this;
  }

  /** Makes `id` start an election and settles. */
  elect(id: number): this {
    this.at(id).tick(20);
    return this.settle();
  }

  isolate(...ids: number[]): void {
    this.passes = (message) => !ids.includes(message.from) && !ids.includes(message.to);
  }

  heal(): void {
    this.passes = () => true;
  }

  get leaders(): number[] {
    return [...this.benches].filter(([, bench]) => bench.core.role === 'leader').map(([id]) => id);
  }
}
