import { mkdirSync, rmSync } from 'node:fs';
import { ShoalError } from '../model/errors.js';
import { daemonCommand } from './daemon-command.js';
import type { Host, HostOptions } from './host.js';
import type { HostLayout } from './layout.js';
import { PlacedHost } from './placed-host.js';
import { answersPing } from './probe.js';
import { isRunning, markOf, signal } from './processes.js';
import { type Output, runShown, startDetached, tryRun, waitFor } from './run.js';
import { removeContainersOf } from './shared-engine.js';

const boot_ms_max = 60_000;
const end_ms_max = 30_000;

/**
 * A host without root: only a daemon, on a loopback address of its own, on the one engine that all share. Its containers carry
 * its node id, so daemons leave each other's alone.
 */
export class SharedHost extends PlacedHost implements Host {
  constructor(
    layout: HostLayout,
    readonly engineSocket: string,
    options: HostOptions,
  ) {
    super(layout, options);
  }

  get address() {
    return `127.0.0.${10 + this.layout.index}`; // all of 127/8 is loopback on Linux
  }

  async start(): Promise<void> {
    await this.startDaemon();
  }

  async startDaemon(): Promise<void> {
    if (this.isUp() || this.options.daemonFlags === undefined) return;
    mkdirSync(this.layout.directory, { recursive: true });
    const [program, ...args] = daemonCommand(
      {
        stateDirectory: this.layout.stateDirectory,
        apiSocket: this.apiSocket,
        engineSocket: this.engineSocket,
        address: this.address,
        sharesMachine: true,
      },
      ['--hostname', this.name, ...this.options.daemonFlags],
    ) as [string, ...string[]];
    const mark = markOf(startDetached(program, args, this.daemonLog));
    if (mark !== undefined) this.remember(mark);
    const ready = await waitFor(
      async () => (this.isUp() ? (await answersPing(this.apiSocket)) || undefined : false),
      boot_ms_max,
    );
    if (!ready) throw new ShoalError('internal', `the daemon of ${this.name} did not start; see ${this.daemonLog}`);
  }

  async signalDaemon(name: NodeJS.Signals): Promise<void> {
    const mark = this.mark();
    signal(mark, name);
    if (name === 'SIGSTOP' || name === 'SIGCONT') return;
    if (!(await waitFor(() => !isRunning(mark) || undefined, end_ms_max))) {
      throw new ShoalError('internal', `the daemon of ${this.name} did not end after ${name}`);
    }
  }

  /** Only the daemon dies: its containers belong to the shared engine. */
  async crash(): Promise<void> {
    await this.signalDaemon('SIGKILL');
    rmSync(this.apiSocket, { force: true });
  }

  /** For good: what its daemon left running on the engine goes as well. */
  async stop(): Promise<void> {
    await this.signalDaemon('SIGTERM').catch(() => this.signalDaemon('SIGKILL'));
    await removeContainersOf(this.layout.stateDirectory, this.engineSocket);
  }

  partition(): Promise<void> {
    return Promise.reject(this.needsNamespaces('partition'));
  }
  heal(): Promise<void> {
    return Promise.reject(this.needsNamespaces('heal'));
  }
  private needsNamespaces(what: string): ShoalError {
    return new ShoalError(
      'not-supported',
      `${what}: hosts of a --shared-engine lab are all on this machine's loopback; a lab started as root can do it`,
    );
  }

  exec(command: readonly string[]): Promise<Output> {
    const [program = 'true', ...args] = command;
    return tryRun(program, args);
  }

  interact(command: readonly string[]): Promise<number> {
    return runShown(command);
  }

  async isDaemonUp(): Promise<boolean> {
    return this.isUp();
  }
}
