import assert from 'node:assert/strict';
import type { Logger } from 'winston';
import { type Random, seededRandom } from '../../../src/model/random.js';
import type { RaftCore } from '../../../src/raft/core/core.js';
import { startRaft } from '../../../src/raft/driver.js';
import { DamageError } from '../../../src/raft/log/damage.js';
import { readRecord } from '../../../src/raft/log/record.js';
import { isDiskFull } from '../../../src/raft/log/wal.js';
import type { Member, RaftNode, StateMachine } from '../../../src/raft/node.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';
import { type Jumps, processClock, type World } from '../world.js';
import type { Invariants } from './invariants.js';
import type { Network } from './network.js';

export function memberOf(id: number): Member {
  return { id, nodeID: `node-${id}`, address: `host-${id}:2377` };
}

/** The replicated list of the simulation. */
class ListMachine implements StateMachine {
  items: string[] = [];
  private index = 0;

  constructor(
    private readonly id: number,
    private readonly world: World,
    private readonly invariants: Invariants,
    private readonly alive: () => boolean,
  ) {}

  apply(index: number, data: Uint8Array): unknown {
    assert.ok(this.alive(), `${this.id} applies after it was killed`);
    assert.ok(index > this.index, `${this.id} applies ${index} after ${this.index}`);
    this.index = index;
    const text = Buffer.from(data).toString();
    this.invariants.checkApplied(this.id, index, text);
    this.items.push(text);
    return this.items.length;
  }

  async *snapshot(): AsyncIterable<Uint8Array> {
    const items = this.items.slice();
    for (let at = 0; at < items.length; at += 20) {
      yield Buffer.from(JSON.stringify(items.slice(at, at + 20)));
      if (this.world.oneIn(3)) await this.world.sleep(this.world.between(1, 30));
    }
  }

  async restore(index: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const items: string[] = [];
    for await (const chunk of chunks) items.push(...JSON.parse(Buffer.from(chunk).toString()));
    assert.ok(index > this.index, `${this.id} is restored to ${index} after ${this.index}`);
    this.invariants.checkRestored(this.id, index, items);
    this.index = index;
    this.items = items;
  }
}

/** Of the last write nothing on the disk tells that it was whole once: when it cannot be read, it counts as cut off. */
function startOfLastBatch(content: Buffer, fileNumber: number): number {
  let start = 0;
  let batch = -1;
  for (let at = 0; at < content.length; ) {
    const record = readRecord(content, at, fileNumber);
    if (record === undefined || record.batch < batch) break;
    if (record.batch > batch) start = at;
    batch = record.batch;
    at = record.next;
  }
  return start;
}

/** One manager: a disk that outlives it, and the process that runs on it at the moment, if any. */
export class Process {
  readonly disk = new SimulatedDisk();
  node: RaftNode | undefined;
  machine: ListMachine | undefined;
  private incarnation = 0;
  running = false;
  /** It left the cluster for good. */
  gone = false;
  diskDelay_ms = 2;
  rate = 1;
  readonly jumps: Jumps = { wall_ms: 0, monotonic_ms: 0 };
  /** Bits on its disk were flipped; and then it found that, and did not start. */
  spoilt = false;
  damaged = false;
  private copy: { name: string; content: Buffer } | undefined;
  maxAppendBytes = 1024 * 1024;
  snapshotChunkBytes = 1024 * 1024;
  /** In ticks: how far election timeouts differ. */
  timeoutSpread = 10;

  constructor(
    readonly id: number,
    private readonly world: World,
    private readonly network: Network,
    private readonly invariants: Invariants,
    private readonly failed: (error: unknown) => void,
  ) {
    this.disk.faults.delay = () =>
      this.world.sleep(this.diskDelay_ms * 0.5 + this.world.random.below(100) * 0.01 * this.diskDelay_ms);
  }

  get core(): RaftCore | undefined {
    return this.running && this.node !== undefined ? (this.node as unknown as { core: RaftCore }).core : undefined;
  }

  start(bootstrap?: readonly Member[]): void {
    const incarnation = ++this.incarnation;
    this.running = true;
    const alive = () => this.running && this.incarnation === incarnation;
    const machine = new ListMachine(this.id, this.world, this.invariants, alive);
    const log = this.logger(alive);
    startRaft({
      self: memberOf(this.id),
      disk: this.disk.mount(),
      transport: this.network.transport(this.id),
      stateMachine: machine,
      clock: processClock(this.world, this.rate, alive, this.jumps),
      random: this.chance(),
      // As `queueMicrotask` does, which costs several times as much.
      defer: (call) => void Promise.resolve().then(call),
      log,
      onFatal: (error) => alive() && this.failed(error),
      ...(bootstrap === undefined ? {} : { bootstrap }),
      snapshotEveryEntries: 25,
      trailingEntries: 8,
      snapshotChunkBytes: this.snapshotChunkBytes,
      segmentBytes: 2048,
      limits: { maxAppendBytes: this.maxAppendBytes },
    }).then(
      (node) => {
        if (!alive()) return;
        this.node = node;
        this.machine = machine;
      },
      (error) => {
        if (!alive()) return;
        // On a full disk it cannot start; the next try comes when it is restarted.
        if (isDiskFull(error)) this.crash();
        else if (this.spoilt && error instanceof DamageError) this.giveUp();
        else this.failed(error);
      },
    );
  }

  private giveUp(): void {
    this.damaged = true;
    this.crash();
  }

  /** Flips a bit somewhere in what was durable and is known to have been: later writes tell that. */
  flipBit(): void {
    const names = this.disk.fileNames().filter((name) => !name.endsWith('.tmp'));
    const name = this.world.pick(names);
    if (this.running || name === undefined) return;
    const content = this.disk.content(name);
    const numberOf = (segment: string) => Number.parseInt(segment.slice(4), 16);
    // One that was being started when the power went says nothing about the one before it yet.
    const newest = names.findLast((other) => {
      return other.startsWith('wal-') && readRecord(this.disk.content(other), 0, numberOf(other)) !== undefined;
    });
    const isNewest = name.startsWith('wal-') && name >= (newest ?? name);
    const end = isNewest ? startOfLastBatch(content, numberOf(name)) : content.length;
    if (end === 0) return;
    this.copy = { name, content: Buffer.from(content) };
    const spoilt = Buffer.from(content);
    const at = this.world.random.below(end);
    spoilt[at] = (spoilt[at] as number) ^ (1 << this.world.random.below(8));
    this.disk.put(name, spoilt);
    this.spoilt = true;
  }

  /** The operator has a copy of what was there before the bit flipped, taken after it last ran. */
  putBack(): void {
    if (this.copy === undefined || !this.damaged) return;
    this.disk.put(this.copy.name, this.copy.content);
    this.damaged = false;
  }

  private chance(): Random {
    const random = seededRandom(this.world.random.below(2 ** 31));
    const electionTicks = 10;
    return { below: (limit) => random.below(limit === electionTicks ? this.timeoutSpread : limit) };
  }

  /** A logger that takes a message against the protocol for what it is here, where everyone is honest: a bug. */
  private logger(alive: () => boolean): Logger {
    const say = (message: string, details?: object) => {
      if (process.env.SIMULATION_LOG !== undefined) {
        console.log(Math.round(this.world.now_ms), this.id, message, JSON.stringify(details ?? {}));
      }
      if (alive() && message === 'dropped a raft message')
        this.failed(new Error(`${message}: ${JSON.stringify(details)}`));
    };
    return { debug: say, info: say, warn: say, error: say, log: say } as unknown as Logger;
  }

  /** kill -9, and the power with it. */
  crash(): void {
    if (!this.running) return;
    this.running = false;
    this.node = undefined;
    this.network.detach(this.id);
    this.disk.crash(this.world.random);
  }

  /** A clean stop; resolves when it is done. The disk keeps what a power cut right after would leave. */
  async stop(handOver: boolean): Promise<void> {
    const { node, incarnation } = this;
    if (node === undefined) return;
    await node.stop({ handOver });
    if (this.incarnation === incarnation) this.crash();
  }
}
