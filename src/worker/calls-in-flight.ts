import { patiently } from '../model/attended-clock.js';
import type { Clock } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { EventStream } from './engine.js';
import { engineError } from './engine-errors.js';

/** The calls to one engine that have no answer yet: none may last for ever, and all can be given up at once. */
export class CallsInFlight {
  private readonly aborts = new Set<AbortController>();

  constructor(private readonly clock: Clock) {}

  /** Runs one call; without an answer within `limit_ms` it is given up as `unavailable`. */
  run<T>(what: string, limit_ms: number, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.runWatched(what, limit_ms, undefined, (signal) => call(signal));
  }

  /** Like `run`, of a call that shows signs of life: `limit_ms` starts anew at each. Also given up when `outer` says so. */
  async runWatched<T>(
    what: string,
    limit_ms: number,
    outer: AbortSignal | undefined,
    call: (signal: AbortSignal, alive: () => void) => Promise<T>,
  ): Promise<T> {
    const abort = this.open();
    const late = () => abort.abort(tooLate(what, limit_ms));
    let cancel = patiently(this.clock, limit_ms, late);
    const alive = () => {
      cancel();
      cancel = patiently(this.clock, limit_ms, late);
    };
    const giveUp = () => abort.abort(new ShoalError('unavailable', `${what} was given up`));
    if (outer?.aborted) giveUp();
    outer?.addEventListener('abort', giveUp, { once: true });
    try {
      abort.signal.throwIfAborted();
      return await call(abort.signal, alive);
    } catch (error) {
      throw abort.signal.aborted ? abort.signal.reason : engineError(error);
    } finally {
      cancel();
      outer?.removeEventListener('abort', giveUp);
      this.aborts.delete(abort);
    }
  }

  /** A call whose answer goes on: `connect` has `limit_ms`, what it returns runs until the stream ends. */
  async stream(
    what: string,
    limit_ms: number,
    connect: (signal: AbortSignal) => Promise<() => Promise<void>>,
  ): Promise<EventStream> {
    const abort = this.open();
    const cancel = patiently(this.clock, limit_ms, () => abort.abort(tooLate(what, limit_ms)));
    let read: () => Promise<void>;
    try {
      read = await connect(abort.signal);
    } catch (error) {
      this.aborts.delete(abort);
      throw abort.signal.aborted ? abort.signal.reason : engineError(error);
    } finally {
      cancel();
    }
    const ended = read()
      .then(
        () => `${what} ended`,
        (error) => engineError(abort.signal.aborted ? abort.signal.reason : error).message,
      )
      .finally(() => this.aborts.delete(abort));
    return { ended, close: () => abort.abort(new ShoalError('unavailable', `${what} was closed`)) };
  }

  reset(): void {
    for (const abort of [...this.aborts]) {
      abort.abort(new ShoalError('unavailable', 'the call was given up: the engine does not answer'));
    }
  }

  private open(): AbortController {
    const abort = new AbortController();
    this.aborts.add(abort);
    return abort;
  }
}

function tooLate(what: string, limit_ms: number): ShoalError {
  return new ShoalError('unavailable', `the engine did not answer ${what} within ${limit_ms / 1000} s`);
}
