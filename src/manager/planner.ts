import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import type { Random } from '../model/random.js';
import type { RaftNode, RaftStatus } from '../raft/node.js';
import type { Commit, Proposer, View } from '../store/view.js';
import { Agenda } from './agenda.js';
import { reconcile } from './reconcile/reconcile.js';

export interface PlannerParts {
  store: View & { watch(call: (commit: Commit) => void): () => void };
  proposer: Proposer;
  raft: Pick<RaftNode, 'status' | 'onStatus'>;
  clock: Clock;
  random: Random;
  log: Logger;
  /** It leads, and knows all that was done before. */
  onLead?(): void;
}

/** How long to wait after a plan could not be committed, unless something changes before. */
const retry_ms = 250;
/**
 * From one plan to the next at least: of what ends one by one on many nodes, as in a large update, several share an entry. The first
 * plan after a rest is made at once.
 */
const between_ms_min = 20;
/** Wall time may jump while a timer runs: never sleep longer on it than this. */
const sleep_ms_max = 30_000;

/**
 * Has the cluster become what was declared: on the leading manager, plans after every change and at the times that plans ask for,
 * one plan at a time. What changes while one is being carried out is taken up, all together, by the next.
 */
export class Planner {
  readonly #parts: PlannerParts;
  readonly #agenda = new Agenda();
  #unwatch: () => void = () => {};
  #stopped = false;
  #run: Promise<void> = Promise.resolve();
  /** Term in which this manager leads; 0 while it does not. */
  #term = 0;
  #nudge: () => void = () => {};
  #endRest: () => void = () => {};
  #changed = false;
  /** When the next plan may be made, by the monotonic clock. */
  #next_ms = Number.NEGATIVE_INFINITY;
  /** How many services still to plan one by one, after a plan of several was at fault. */
  #alone = 0;

  constructor(parts: PlannerParts) {
    this.#parts = parts;
  }

  /** Begins to watch; plans whenever this manager leads. */
  start(): void {
    const { store, raft } = this.#parts;
    const unwatchStore = store.watch((commit) => {
      if (this.#term === 0) return;
      this.#agenda.note(commit, store);
      this.#wake();
    });
    const unwatchRaft = raft.onStatus((status) => this.#follow(status));
    this.#unwatch = () => {
      unwatchStore();
      unwatchRaft();
    };
    this.#follow(raft.status());
  }

  /** Stops for good; resolves once no proposal of ours is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#term = 0;
    this.#unwatch();
    this.#wake();
    this.#endRest();
    await this.#run;
  }

  #follow(status: RaftStatus): void {
    const term = status.role === 'leader' && !this.#stopped ? status.term : 0;
    if (term === this.#term) return;
    this.#term = term;
    this.#wake();
    if (term !== 0) this.#run = this.#run.then(() => this.#lead(term));
  }

  /** Plans for as long as this manager leads in `term`. */
  async #lead(term: number): Promise<void> {
    const { log } = this.#parts;
    this.#agenda.addAll();
    log.info('planning begins', { term });
    let settled = false;
    let failure = ''; // told when it changes, not four times a second for as long as a disk is full
    while (this.#term === term) {
      this.#changed = false;
      try {
        // Once an entry of ours is applied, so is every one before it, plans of former leaders and lost answers included.
        if (!settled) {
          await this.#parts.proposer.propose({ Operations: [], Origin: 'reconcile', Time: this.#time() }, term);
          this.#parts.onLead?.();
        }
        settled = true;
        if (this.#term === term && !(await this.#step(term))) await this.#sleep(this.#untilNextWake());
        await this.#rest();
        failure = '';
      } catch (error) {
        settled &&= error instanceof ShoalError && refusals.has(error.code); // of any other failure the outcome is open
        const overtaken = settled && this.#changed;
        const details = { term, reason: messageOf(error), alone: this.#alone > 0 };
        if (overtaken) log.debug('a plan was overtaken', details);
        else if (this.#term === term)
          log[details.reason === failure ? 'debug' : 'warn']('a plan could not be carried out', details);
        failure = details.reason;
        if (this.#term === term && !overtaken && this.#alone === 0) await this.#sleep(retry_ms);
      }
    }
    log.info('planning ends', { term });
  }

  /**
   * Makes a plan of what is due and has it carried out, in this term or never: the next leader plans from what it finds, and a plan of ours
   * that came after its own would do things twice. False when nothing is due.
   */
  async #step(term: number): Promise<boolean> {
    const { store, clock, random, proposer, log } = this.#parts;
    const alone = this.#alone > 0;
    if (alone) this.#alone--;
    const due = alone ? this.#agenda.takeOne(clock.now(), store) : this.#agenda.take(clock.now());
    if (due === undefined) return false;
    try {
      const began_ms = clock.monotonic();
      const plan = reconcile(store, clock.now(), random, due === 'all' ? undefined : due);
      this.#agenda.keep(due, plan);
      const ended_ms = clock.monotonic();
      this.#next_ms = ended_ms + (ended_ms - began_ms);
      if (plan.transactions.length > 0 && plan.left.size === 0)
        this.#next_ms = Math.max(this.#next_ms, ended_ms + between_ms_min);
      for (const transaction of plan.transactions) {
        const started = clock.monotonic();
        const { index } = await proposer.propose(transaction, term);
        const operations = transaction.Operations?.length;
        log.debug('plan applied', { index, operations, took_ms: clock.monotonic() - started });
      }
      return true;
    } catch (error) {
      this.#agenda.putBack(due);
      const unlucky = error instanceof ShoalError && !refusals.has(error.code);
      const services = due === 'all' ? store.count('Service') : due.size;
      // Nothing changed, so the fault is in the plan: one service shall not keep the others from being looked after.
      if (!unlucky && !alone && !this.#changed && services > 1) this.#alone = services;
      throw error;
    }
  }

  #time(): string {
    return new Date(this.#parts.clock.now()).toISOString();
  }

  #untilNextWake(): number {
    const at = this.#agenda.nextWake();
    return at === undefined ? sleep_ms_max : Math.min(Math.max(at - this.#parts.clock.now(), 0), sleep_ms_max);
  }

  /** Waits for the next change, at most `longest_ms`. */
  async #sleep(longest_ms: number): Promise<void> {
    if (this.#changed) return;
    await this.#pause(longest_ms, (end) => {
      this.#nudge = end;
    });
  }

  /**
   * Lets more happen before the next plan, when the last was a moment ago or took long: a look at a hundred thousand tasks is half a second
   * in which nothing else gets done, and news of them may come faster than that.
   */
  async #rest(): Promise<void> {
    const left_ms = this.#next_ms - this.#parts.clock.monotonic();
    if (left_ms <= 0 || this.#stopped) return;
    await this.#pause(left_ms, (end) => {
      this.#endRest = end;
    });
  }

  /** Resolves after `time_ms`, or once what `keep` is given is called. */
  #pause(time_ms: number, keep: (end: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#parts.clock.after(time_ms, resolve);
      keep(() => {
        cancel();
        resolve();
      });
    });
  }

  #wake(): void {
    this.#changed = true;
    this.#nudge();
  }
}

/** Answers that say the plan was made from what is no longer so. */
const refusals: ReadonlySet<string> = new Set(['out-of-sequence', 'not-found', 'name-conflict', 'invalid-argument']);
