import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf } from '../model/errors.js';
import type { Random } from '../model/random.js';
import { Backoff } from './backoff.js';
import type { ContainerEvent, ContainerSummary } from './container.js';
import type { Engine, EngineInfo, EventStream } from './engine.js';

// A dead engine ends the event stream at once; pings find the one that hangs. Each has seconds to be answered, so a hang
// is known after some 13 s: longer than a busy engine takes.
const pingEvery_ms = 3_000;
const pingFailures_max = 2;
// An engine drops events for a listener that is slow for 100 ms. One list for the whole node mends that.
const lookEvery_ms = 30_000;
const retryFirst_ms = 250;
const retry_ms_max = 5_000;

export interface WatchOptions {
  engine: Engine;
  /** Of the containers to watch. */
  labels: Readonly<Record<string, string>>;
  clock: Clock;
  random: Random;
  log: Logger;
  onInfo(info: EngineInfo): void;
  onEvent(event: ContainerEvent): void;
  /** Everything that is there, after each (re)connect and from time to time. */
  onLook(containers: readonly ContainerSummary[]): void;
  /** The engine cannot be used from now until the next look. */
  onDown(): void;
  /** `error` has changed. */
  onError(): void;
}

/** Keeps one event stream to the engine, and knows whether it can be used. */
export class EngineWatch {
  /** Why the engine cannot be used; '' while it can. */
  error = 'the engine was not reached yet';
  /** Resolves when the engine was tried for the first time. */
  readonly tried: Promise<void>;
  private markTried: () => void = () => {};
  private stopped = false;
  private stream: EventStream | undefined;
  private cancelWait: () => void = () => {};
  private readonly running: Promise<void>;
  private readonly backoff: Backoff;

  constructor(private readonly options: WatchOptions) {
    this.tried = new Promise((resolve) => {
      this.markTried = resolve;
    });
    this.backoff = new Backoff(options.random, retryFirst_ms, retry_ms_max);
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.markTried();
    this.stream?.close();
    this.cancelWait();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        const stream = await this.connect();
        if (this.error !== '') this.options.log.info('the engine can be used');
        this.setError('');
        this.markTried();
        this.backoff.reset();
        const reason = await this.watch(stream);
        if (this.stopped) return;
        this.options.log.warn('the engine was lost; connecting again', { reason });
      } catch (error) {
        this.stream?.close();
        if (this.stopped) return;
        this.options.onDown();
        if (this.error !== messageOf(error))
          this.options.log.warn('the engine cannot be used', { error: messageOf(error) });
        this.setError(messageOf(error));
        this.markTried();
        await this.pause(this.backoff.next_ms());
      }
    }
  }

  /** Listens first and looks then, so that nothing is missed in between. */
  private async connect(): Promise<EventStream> {
    const { engine, labels } = this.options;
    await engine.ping();
    this.options.onInfo(await engine.info());
    const stream = await engine.events(labels, this.options.onEvent);
    this.stream = stream;
    if (this.stopped) stream.close();
    this.options.onLook(await engine.list(labels));
    return stream;
  }

  /** Until the stream ends or the engine hangs; resolves with why. */
  private async watch(stream: EventStream): Promise<string> {
    let reason: string | undefined;
    let endWait = () => {};
    // Told once: whoever asked at every ping would be kept for as long as the stream lasts, which may be months.
    void stream.ended.then((why) => {
      reason = why;
      endWait();
    });
    const unlessEnded = (work: Promise<void>) =>
      new Promise<void>((resolve, reject) => {
        endWait = resolve;
        work.then(resolve, reject);
      });
    let failures = 0;
    let looked_ms = this.options.clock.monotonic();
    while (reason === undefined) {
      await unlessEnded(this.pause(pingEvery_ms));
      if (reason !== undefined || this.stopped) break;
      try {
        await unlessEnded(this.options.engine.ping());
        failures = 0;
        if (this.options.clock.monotonic() - looked_ms < lookEvery_ms) continue;
        const containers = await this.options.engine.list(this.options.labels);
        looked_ms = this.options.clock.monotonic();
        if (reason === undefined && !this.stopped) this.options.onLook(containers);
      } catch (error) {
        failures += 1;
        if (failures >= pingFailures_max) reason ??= messageOf(error);
      }
    }
    this.cancelWait();
    stream.close();
    this.stream = undefined;
    if (!this.stopped) this.options.engine.reset(); // what hangs would hang on
    return reason ?? 'stopped';
  }

  private pause(time_ms: number): Promise<void> {
    if (this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(time_ms, resolve);
      this.cancelWait = () => {
        cancel();
        resolve();
      };
    });
  }

  private setError(error: string): void {
    if (error === this.error) return;
    this.error = error;
    this.options.onError();
  }
}
