import assert from 'node:assert/strict';
import { ShoalError } from '../../../src/model/errors.js';
import { Actor } from './actor.js';
import type { Group } from './group.js';
import type { History } from './history.js';
import type { Invariants } from './invariants.js';
import type { Process } from './process.js';

/** Those who write and read through any member, and note what they see. */
export class Clients extends Actor {
  private said = 0;

  constructor(
    group: Group,
    private readonly history: History,
    private readonly invariants: Invariants,
  ) {
    super(group);
  }

  /** Appends and reads through any member, one operation after the other. */
  start(number: number): void {
    const next = async () => {
      for (;;) {
        await this.world.sleep(this.world.between(5, 120));
        if (this.group.quiet) return;
        const process = this.world.pick(this.processes.filter(({ node }) => node !== undefined));
        if (process === undefined) continue;
        if (this.world.oneIn(3)) await this.read(process);
        else await this.append(process, this.text(number));
      }
    };
    next().catch((error) => this.group.fail(error));
  }

  /** Never the same twice. */
  private text(number: number): string {
    const padding = this.profile.textBytes === 0 ? 0 : this.world.random.below(this.profile.textBytes);
    return `${number}.${++this.said}${'-'.repeat(padding)}`;
  }

  /** Writes these words, and a number that makes them new. True when that was acknowledged. */
  write(process: Process, words: string): Promise<boolean> {
    return this.append(process, `${words} ${++this.said}`);
  }

  private async append(process: Process, text: string): Promise<boolean> {
    const append = this.history.began(text, this.world.now_ms);
    // A process that dies leaves its clients without an answer.
    const outcome = await Promise.race([
      (process.node as NonNullable<typeof process.node>).propose(Buffer.from(text)).then(
        ({ index, result }) => ({ kind: 'acknowledged', index, place: result as number }) as const,
        (error) => ({ kind: 'failed', error }) as const,
      ),
      this.world.sleep(8000).then(() => ({ kind: 'hung' }) as const),
    ]);
    if (outcome.kind === 'acknowledged') {
      this.invariants.checkAcknowledged(outcome.index, text);
      this.history.ended(append, this.world.now_ms, 'acknowledged', outcome.place);
      return true;
    }
    if (outcome.kind === 'failed') {
      if (!(outcome.error instanceof ShoalError)) throw outcome.error;
      const refused = outcome.error.code === 'no-leader' || outcome.error.code === 'overloaded';
      this.history.ended(append, this.world.now_ms, refused ? 'refused' : 'unknown');
    } else {
      assert.ok(!process.running || this.world.now_ms > 8000, 'a proposal hung on a process that runs');
    }
    return false;
  }

  private async read(process: Process): Promise<void> {
    const start_ms = this.world.now_ms;
    const { machine, node } = process;
    const done = await Promise.race([
      (node as NonNullable<typeof node>).readBarrier().then(
        () => machine?.items.length,
        (error) => {
          if (!(error instanceof ShoalError)) throw error;
          return undefined;
        },
      ),
      this.world.sleep(8000).then(() => undefined),
    ]);
    if (done !== undefined) this.history.read(start_ms, this.world.now_ms, done);
  }
}
