import type { Context } from '../base/context.js';
import { CliError, DaemonError } from '../base/errors.js';
import { filtersQuery } from '../base/filter.js';
import { pathOf } from '../base/path.js';
import { type ProgressLines, progressLines, silentLines } from '../base/progress-lines.js';
import type { Node, Service, Task } from '../base/wire.js';
import { convergenceOf, type Slots } from './convergence.js';

const poll_ms = 200;
const monitor_ns_default = 5e9;

/**
 * Shows how a service becomes what it was told to be, until its tasks have been up for as long as its update watches them.
 * Ctrl-C only stops the showing. Throws `CliError` when an update or rollback is paused.
 */
export async function followService(context: Context, id: string, quiet: boolean): Promise<void> {
  const lines = quiet ? silentLines : progressLines(context.out);
  const interrupt = new AbortController();
  const forget = context.onInterrupt(() => interrupt.abort());
  try {
    await new Follower(context, id, lines, interrupt.signal).run();
  } finally {
    forget();
  }
}

class Follower {
  readonly #slots: Slots = new Map();
  #convergedAt_ms: number | undefined;
  #rollback = false;
  #sawUpdate = false;
  #message = '';

  constructor(
    private readonly context: Context,
    private readonly id: string,
    private readonly lines: ProgressLines,
    private readonly interrupted: AbortSignal,
  ) {}

  async run(): Promise<void> {
    for (;;) {
      const [service, tasks, activeNodes] = await this.look().catch((thrown: unknown) => this.lost(thrown));
      if (this.isDecided(service)) return;
      const monitor_ms = (service.Spec?.UpdateConfig?.Monitor || monitor_ns_default) / 1e6;
      const now_ms = this.context.clock.monotonic();
      if (this.#convergedAt_ms !== undefined && now_ms - this.#convergedAt_ms >= monitor_ms) {
        this.lines.show({ id: 'verify', text: `Service ${this.id} converged` });
        if (this.#message !== '') this.lines.show({ id: 'rollback', text: this.#message });
        return;
      }
      const { lines, converged } = convergenceOf(service, tasks, activeNodes, this.#slots, this.#rollback);
      for (const line of lines) this.lines.show(line);
      if (converged && (service.Spec?.Mode?.ReplicatedJob || service.Spec?.Mode?.GlobalJob)) {
        this.lines.message('job complete');
        return;
      }
      this.verify(converged, monitor_ms, now_ms);
      await this.context.sleep(poll_ms, this.interrupted);
      if (this.interrupted.aborted) {
        if (!converged) this.leaveBehind();
        return;
      }
    }
  }

  private look(): Promise<[Service, Task[], Set<string>]> {
    const { client } = this.context;
    const filters = filtersQuery([
      ['service', this.id],
      ['_up-to-date', 'true'],
    ]);
    return Promise.all([
      client.get<Service>(pathOf('services', this.id)),
      client.get<Task[]>('/tasks', { query: { filters } }),
      client
        .get<Node[]>('/nodes')
        .then((nodes) => new Set(nodes.filter((node) => node.Status?.State !== 'down').map((node) => node.ID ?? ''))),
    ]);
  }

  /** Whether the update that is under way, if one is, has come to its end. */
  private isDecided({ UpdateStatus: status }: Service): boolean {
    switch (status?.State) {
      case 'updating':
        this.#rollback = false;
        this.#sawUpdate = true;
        return false;
      case 'completed':
        // An update that was complete before we looked says nothing of the change we follow.
        return this.#sawUpdate && this.#convergedAt_ms === undefined;
      case 'paused':
        throw new CliError(`service update paused: ${status.Message ?? ''}`);
      case 'rollback_started':
        if (!this.#rollback && status.Message) this.lines.show({ id: 'rollback', text: status.Message });
        this.#rollback = true;
        return false;
      case 'rollback_paused':
        throw new CliError(`service rollback paused: ${status.Message ?? ''}`);
      case 'rollback_completed':
        if (this.#convergedAt_ms === undefined) this.#message = status.Message ?? '';
        this.#rollback = true;
        return false;
    }
    return false;
  }

  private verify(converged: boolean, monitor_ms: number, now_ms: number): void {
    if (!converged) {
      if (this.#convergedAt_ms !== undefined) this.lines.show({ id: 'verify', text: 'Detected task failure' });
      this.#convergedAt_ms = undefined;
      return;
    }
    this.#convergedAt_ms ??= now_ms;
    const left_s = Math.max(1, Math.ceil((monitor_ms - (now_ms - this.#convergedAt_ms)) / 1000));
    this.lines.show({ id: 'verify', text: `Waiting ${left_s} seconds to verify that tasks are stable...` });
  }

  /** The daemon that we ask is gone, or has no leader: what it took before that is done without it. */
  private lost(thrown: unknown): never {
    if (!(thrown instanceof CliError) || (thrown instanceof DaemonError && thrown.status < 500)) throw thrown;
    const then = `What was asked for is stored and goes on. Ask any manager: shoal service ps ${this.id}`;
    throw new CliError(`${thrown.message}\n${then}`, { exitCode: thrown.exitCode, cause: thrown });
  }

  private leaveBehind(): void {
    this.lines.message('Operation continuing in background.');
    this.lines.message(`Use \`shoal service ps ${this.id}\` to check progress.`);
  }
}
