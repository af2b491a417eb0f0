import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import type { Destinations } from './destinations.js';
import { Starting } from './first-answer.js';
import { Ending } from './last-answer.js';
import type { Mesh } from './mesh.js';
import { Retiring } from './retiring.js';
import type { KernelTools } from './tools.js';

export interface TurnoverOptions {
  tools: KernelTools;
  /** Whether rules can have clients end kept connections to tasks that leave. */
  endsConnections: boolean;
  clock: Clock;
  log: Logger;
}

/** Where the rules lead, and what becomes of connections to where they led before. */
export class Turnover {
  private destinations: Destinations = new Map();
  private readonly retiring: Retiring;
  private readonly lately: { came: Starting; left: Ending };
  /** As the last plan had them. */
  private planned: Pick<Mesh, 'starting' | 'ending'> = { starting: new Set(), ending: new Set() };

  constructor(private readonly options: TurnoverOptions) {
    this.retiring = new Retiring(options);
    this.lately = { came: new Starting(options.clock), left: new Ending(options.clock) };
  }

  /** The destinations that lately came into rotation or left it, for which there are rules of their own. */
  get changing(): Pick<Mesh, 'starting' | 'ending'> {
    return this.planned;
  }

  /** Whether connections may be under way. */
  get mayBeBusy(): boolean {
    return this.destinations.size > 0 || this.retiring.isWatching;
  }

  busyTasks(): readonly string[] {
    return this.retiring.busyTasks();
  }

  /** Calls back when `busyTasks` shrank; the result stops it. */
  onReleased(call: () => void): () => void {
    return this.retiring.onReleased(call);
  }

  /** Rules that lead there are about to be made. */
  plan(destinations: Destinations): void {
    const { came, left } = this.lately;
    const before = this.destinations;
    this.planned = {
      starting: came.replaced(before, destinations),
      ending: this.options.endsConnections ? left.replaced(before, destinations) : new Set(),
    };
  }

  /** They are. Resolves once it is known who is busy. */
  async made(destinations: Destinations): Promise<void> {
    const before = this.destinations;
    this.destinations = destinations;
    await this.retiring.replaced(before, destinations);
  }

  /** There are no rules any more. */
  forget(): void {
    this.destinations = new Map();
  }

  close(): Promise<void> {
    return this.retiring.close();
  }
}
