import { ShoalError } from '../../model/errors.js';
import type { RaftCore } from '../core/core.js';

interface Waiter {
  deadline_ms: number;
  resolve(): void;
  reject(error: ShoalError): void;
}
interface Round {
  waiters: Waiter[];
  ticks: number;
}

/** While this many rounds are under way, further reads gather for the next. */
const maxRounds = 4;
/** Ticks until a round that was not answered is asked for again. */
const retryTicks = 3;

/** Linearizable reads: all that come in together share one ReadIndex round (dissertation 6.4). */
export class Barriers {
  private waiting: Waiter[] = [];
  private readonly rounds = new Map<number, Round>();
  /** Confirmed for an index that is not applied here yet. */
  private confirmed: { index: number; waiters: Waiter[] }[] = [];

  /** `request`: where to start numbering rounds, so that no answer to an earlier run of this member is taken for one of ours. */
  constructor(
    private readonly core: RaftCore,
    private request: number,
  ) {}

  add(deadline_ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ deadline_ms, resolve, reject });
    });
  }

  dispatch(): void {
    if (this.waiting.length === 0 || this.rounds.size >= maxRounds) return;
    if (!this.core.read(++this.request)) return;
    this.rounds.set(this.request, { waiters: this.waiting, ticks: 0 });
    this.waiting = [];
  }

  confirm(request: number, index: number, appliedIndex: number): void {
    const round = this.rounds.get(request);
    if (round === undefined) return;
    this.rounds.delete(request);
    this.confirmed.push({ index, waiters: round.waiters });
    this.applied(appliedIndex);
  }

  applied(appliedIndex: number): void {
    if (this.confirmed.length === 0) return;
    const ready = this.confirmed.filter((round) => round.index <= appliedIndex);
    if (ready.length === 0) return;
    this.confirmed = this.confirmed.filter((round) => round.index > appliedIndex);
    for (const round of ready) for (const waiter of round.waiters) waiter.resolve();
  }

  tick(now_ms: number): void {
    const inTime = (waiters: Waiter[]) =>
      waiters.filter((waiter) => {
        if (waiter.deadline_ms > now_ms) return true;
        waiter.reject(readTimeout());
        return false;
      });
    this.waiting = inTime(this.waiting);
    for (const round of this.confirmed) round.waiters = inTime(round.waiters);
    for (const [request, round] of this.rounds) {
      round.waiters = inTime(round.waiters);
      if (round.waiters.length === 0) this.rounds.delete(request);
      else if (++round.ticks % retryTicks === 0) this.core.read(request);
    }
  }

  failAll(): void {
    const waiters = [
      ...this.waiting,
      ...[...this.rounds.values()].flatMap((round) => round.waiters),
      ...this.confirmed.flatMap((round) => round.waiters),
    ];
    this.waiting = [];
    this.rounds.clear();
    this.confirmed = [];
    for (const waiter of waiters) waiter.reject(readTimeout());
  }
}

function readTimeout(): ShoalError {
  return new ShoalError('unavailable', 'the managers did not confirm the read in time, try again');
}
