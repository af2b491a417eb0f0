import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ShoalError } from '../model/errors.js';
import { daemonCommand } from './daemon-command.js';
import type { Host } from './host.js';
import { cgroupCleanScript, engineCommand, initScript, shellLine } from './host-init.js';
import { PlacedHost } from './placed-host.js';
import { answersPing } from './probe.js';
import { childrenOf, isRunning, markOf, signal } from './processes.js';
import { type Output, run, runShown, startDetached, tryRun, waitFor } from './run.js';
import { cable, hostNetworkDown, hostNetworkUp } from './switch.js';

const boot_ms_max = 60_000; // two noisy cores may start several engines at once
const end_ms_max = 30_000;
const daemonPidFile = '/run/shoal.pid'; // in the host's own /run

/** A host made of Linux namespaces, with a Docker Engine of its own. */
export class NamespaceHost extends PlacedHost implements Host {
  get address() {
    return this.layout.address;
  }
  get engineSocket() {
    return this.layout.engineSocket;
  }

  async start(): Promise<void> {
    if (!this.isUp()) {
      mkdirSync(this.layout.dataDirectory, { recursive: true });
      rmSync(this.engineSocket, { force: true });
      await hostNetworkUp(this.layout);
      const script = join(this.layout.directory, 'init.sh');
      writeFileSync(script, initScript(this.layout, this.options.engineFlags));
      const pid = startDetached(
        'nsenter',
        [
          `--net=${this.layout.namespaceFile}`,
          'unshare',
          '--mount',
          '--pid',
          '--uts',
          '--ipc',
          '--fork',
          '--kill-child',
          '--mount-proc',
          '--propagation',
          'private',
          '/bin/sh',
          script,
        ],
        join(this.layout.directory, 'init.log'),
      );
      const mark = markOf(pid);
      if (mark === undefined) throw this.bootFailure('init.log');
      this.remember(mark);
      await this.waitForEngine();
    } else if (!(await answersPing(this.engineSocket))) {
      // The power is on and the engine is not: it was killed, or it hangs.
      await this.killEngine();
      await this.startEngine();
    }
    if (this.options.daemonFlags !== undefined) await this.startDaemon();
  }

  private async waitForEngine(): Promise<void> {
    const ready = await waitFor(async () => {
      if (!this.isUp()) return false;
      return (await answersPing(this.engineSocket)) || undefined;
    }, boot_ms_max);
    if (ready === undefined) throw this.bootFailure('dockerd.log');
    if (!ready) throw this.bootFailure('init.log');
  }

  private bootFailure(logName: string): ShoalError {
    const log = join(this.layout.directory, logName);
    const tail = existsSync(log) ? readFileSync(log, 'utf8').split('\n').slice(-6).join('\n') : '';
    return new ShoalError('internal', `${this.name} did not start; the end of ${log}:\n${tail}`);
  }

  async crash(): Promise<void> {
    const outer = this.mark();
    const init = outer && markOf(this.initPid() ?? -1);
    signal(init, 'SIGKILL');
    signal(outer, 'SIGKILL');
    if (!(await waitFor(() => (!isRunning(init) && !isRunning(outer)) || undefined, end_ms_max))) {
      throw new ShoalError('internal', `${this.name} (process ${outer?.pid}) did not end`);
    }
    this.forget();
    rmSync(this.engineSocket, { force: true });
    rmSync(this.apiSocket, { force: true });
    await hostNetworkDown(this.layout);
    await tryRun('unshare', ['--mount', '/bin/sh', '-c', cgroupCleanScript(this.layout)]);
  }

  async stop(): Promise<void> {
    if (this.isUp()) await this.signalDaemon('SIGTERM').catch(() => {}); // the cut below ends what does not listen
    await this.crash();
  }

  async startDaemon(): Promise<void> {
    if (this.options.daemonFlags === undefined || (await this.isDaemonUp())) return;
    const command = shellLine(
      daemonCommand(
        {
          stateDirectory: this.layout.stateDirectory,
          apiSocket: this.apiSocket,
          engineSocket: this.engineSocket,
          address: this.address,
          sharesMachine: false,
        },
        this.options.daemonFlags,
      ),
    );
    await this.inHost([
      'sh',
      '-c',
      `setsid ${command} </dev/null >>${shellLine([this.daemonLog])} 2>&1 & echo $! >${daemonPidFile}`,
    ]);
    const ready = await waitFor(async () => {
      if (!(await this.isDaemonUp())) return false;
      return (await answersPing(this.apiSocket)) || undefined;
    }, boot_ms_max);
    if (!ready) throw this.bootFailure('shoal.log');
  }

  async signalDaemon(name: NodeJS.Signals): Promise<void> {
    await this.exec(['sh', '-c', `kill -s ${name.slice('SIG'.length)} "$(cat ${daemonPidFile})"`]);
    if (name === 'SIGSTOP' || name === 'SIGCONT') return;
    const ended = await waitFor(async () => !(await this.isDaemonUp()) || undefined, end_ms_max);
    if (!ended) throw new ShoalError('internal', `the daemon of ${this.name} did not end after ${name}`);
  }

  /** Kills engine and containerd; containers go on under their shims. */
  async killEngine(): Promise<void> {
    await this.exec([
      'sh',
      '-c',
      'for p in /proc/[0-9]*; do case "$(cat $p/comm 2>/dev/null)" in dockerd|containerd) kill -9 "$(basename $p)";; esac; done; rm -f /run/docker.pid',
    ]);
    await waitFor(async () => !(await answersPing(this.engineSocket)) || undefined, end_ms_max);
  }

  async startEngine(): Promise<void> {
    const command = shellLine(engineCommand(this.layout, this.options.engineFlags));
    await this.inHost([
      'sh',
      '-c',
      `rm -f /run/docker.pid; setsid ${command} </dev/null >>${shellLine([this.layout.engineLog])} 2>&1 &`,
    ]);
    await this.waitForEngine();
  }

  async partition(): Promise<void> {
    await cable(this.layout, false);
  }

  async heal(): Promise<void> {
    await cable(this.layout, true);
  }

  async exec(command: readonly string[]): Promise<Output> {
    return tryRun('nsenter', this.enter(command));
  }

  interact(command: readonly string[]): Promise<number> {
    return runShown(['nsenter', ...this.enter(command)]);
  }

  async isDaemonUp(): Promise<boolean> {
    if (!this.isUp()) return false;
    const output = await this.exec(['sh', '-c', `grep -qa daemon "/proc/$(cat ${daemonPidFile})/cmdline"`]);
    return output.code === 0;
  }

  private inHost(command: readonly string[]): Promise<string> {
    return run('nsenter', this.enter(command));
  }

  private enter(command: readonly string[]): string[] {
    const init = this.initPid();
    if (init === undefined)
      throw new ShoalError('unavailable', `${this.name} is down; \`shoal lab start ${this.name}\` boots it`);
    return ['-t', String(init), '-m', '-n', '-p', '-u', '-i', '--', ...command];
  }

  /** Process 1 of the host, as this machine numbers it. */
  private initPid(): number | undefined {
    const outer = this.mark();
    return isRunning(outer) ? childrenOf(outer.pid)[0] : undefined;
  }
}
