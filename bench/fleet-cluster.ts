import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/model/paths.js';
import { DaemonProcess } from '../test/helpers/daemon-process.js';
import { freePort } from '../test/helpers/daemons.js';
import type { Parts } from './fleet-cost.js';
import type { HollowNodes } from './fleet-nodes.js';

const managerCount = 3;
const callsAtOnce = 16;
const answer_ms_max = 30_000; // to be asked what it holds: a collection of everything takes a second

/** Three real managers and the processes of hollow nodes that are their cluster. */
export class FleetCluster {
  readonly managers: DaemonProcess[] = [];
  /** The last of them has the nodes that will fall silent. */
  readonly hollow: ChildProcess[] = [];
  private readonly said: string[] = [];
  private addresses: string[] = [];
  private token = '';

  private constructor(
    private readonly directory: string,
    /** Where logs and processor profiles go; undefined: nowhere. */
    private readonly profile: string | undefined,
    private readonly isWeighed: boolean,
    private readonly nodeFlags: readonly string[],
  ) {}

  /** `isWeighed`: its processes can be asked what they hold. `nodeFlags` go to Node in each of them. */
  static async start(
    profile: string | undefined,
    isWeighed: boolean,
    nodeFlags: readonly string[],
  ): Promise<FleetCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'shoal-bench-fleet-'));
    const cluster = new FleetCluster(directory, profile, isWeighed, nodeFlags);
    process.once('exit', () => {
      for (const { pid } of cluster.managers) if (pid !== undefined) process.kill(pid, 'SIGKILL'); // what was not ended in good order
    });
    await cluster.startManagers();
    return cluster;
  }

  private get flags(): string[] {
    return [
      ...this.nodeFlags,
      ...(this.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${this.profile}`]),
      ...(this.isWeighed ? ['--expose-gc', '--import', join(packageRoot(), 'dist', 'bench', 'fleet-memory.js')] : []),
    ];
  }

  private async startManagers(): Promise<void> {
    for (let at = 0; at < managerCount; at++) {
      const address = `127.0.0.1:${await freePort()}`;
      const directory = await mkdtemp(join(this.directory, 'manager-'));
      const manager = new DaemonProcess(directory, address, 'api.sock', this.flags);
      this.addresses.push(address);
      this.managers.push(manager);
      await manager.start();
      if (manager.exitCode !== null) throw new Error(`a manager did not start: ${manager.output}`);
    }
    const [first, ...others] = this.managers as [DaemonProcess, ...DaemonProcess[]];
    await first.ok('POST', '/swarm/init', { ListenAddr: first.address, AdvertiseAddr: first.address });
    const { JoinTokens } = await first.ok('GET', '/swarm');
    for (const manager of others) {
      await manager.ok('POST', '/swarm/join', {
        ListenAddr: manager.address,
        AdvertiseAddr: manager.address,
        RemoteAddrs: [first.address],
        JoinToken: JoinTokens.Manager,
      });
    }
    this.token = JoinTokens.Worker;
  }

  /** As many hollow nodes as the sizes say, a process for each of these. Resolves once all have a session. */
  async startNodes(sizes: readonly number[]): Promise<void> {
    let firstNumber = 0;
    const starts: Promise<void>[] = [];
    for (const count of sizes) {
      starts.push(this.startHollow({ count, firstNumber, token: this.token, managers: this.addresses }));
      firstNumber += count;
    }
    await Promise.all(starts);
  }

  private async startHollow(nodes: HollowNodes): Promise<void> {
    const program = join(packageRoot(), 'dist', 'bench', 'fleet-nodes.js');
    const child = fork(program, [JSON.stringify(nodes)], {
      execArgv: this.flags,
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    const at = this.hollow.push(child) - 1;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.said[at] = (this.said[at] ?? '') + text;
    });
    const [end] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    if (end !== 'joined') throw new Error(`a process of hollow nodes ended with ${end}`);
  }

  /** Who is what at this moment. */
  async parts(): Promise<Parts> {
    const list = await this.anyManager.ok('GET', '/nodes?filters={"role":["manager"]}');
    const leads = (list as { ManagerStatus?: { Leader?: boolean; Addr: string } }[]).find(
      (one) => one.ManagerStatus?.Leader,
    );
    const isLeader = (manager: DaemonProcess) => manager.address === leads?.ManagerStatus?.Addr;
    return {
      leader: this.managers.filter(isLeader),
      followers: this.managers.filter((manager) => !isLeader(manager)),
      nodes: this.hollow,
    };
  }

  /** Asked for counts: one that does not lead, as long as the first one does. */
  private get anyManager(): DaemonProcess {
    return this.managers.at(-1) as DaemonProcess;
  }

  async readyNodes(): Promise<number> {
    const list = (await this.anyManager.ok('GET', '/nodes')) as { Status: { State: string } }[];
    return list.filter((node) => node.Status.State === 'ready').length;
  }

  async runningTasks(): Promise<number> {
    const list = (await this.anyManager.ok('GET', '/services?status=true')) as {
      ServiceStatus: { RunningTasks: number };
    }[];
    return list.reduce((sum, { ServiceStatus }) => sum + ServiceStatus.RunningTasks, 0);
  }

  /** Declares the services, through all managers in turn. */
  declare(services: number, replicas: number): Promise<void> {
    return this.onAll(services, async (manager, at) => {
      await manager.ok('POST', '/services/create', {
        Name: `fleet${at}`,
        TaskTemplate: { ContainerSpec: { Image: 'web' } },
        Mode: { Replicated: { Replicas: replicas } },
      });
    });
  }

  removeServices(services: number): Promise<void> {
    return this.onAll(services, async (manager, at) => {
      await manager.ok('DELETE', `/services/fleet${at}`);
    });
  }

  private async onAll(count: number, call: (manager: DaemonProcess, at: number) => Promise<void>): Promise<void> {
    let next = 0;
    const client = async () => {
      while (next < count) {
        const at = next++;
        await call(this.managers[at % this.managers.length] as DaemonProcess, at);
      }
    };
    await Promise.all(Array.from({ length: callsAtOnce }, client));
  }

  /** Containers on all hollow nodes. */
  async containers(): Promise<number> {
    const counts = this.hollow.map(async (child) => {
      const answer = once(child, 'message');
      child.send('count');
      return Number((await answer)[0]);
    });
    return (await Promise.all(counts)).reduce((sum, one) => sum + one, 0);
  }

  /** What managers and processes of nodes hold after a collection, in MB: what JavaScript's heap has, and what is beside it. */
  async held(): Promise<{ managers: string[]; nodes: string[] }> {
    const managers = this.managers.map((manager) => holding(manager.pid, () => manager.output));
    const nodes = this.hollow.map(({ pid }, at) => holding(pid, () => this.said[at] ?? ''));
    return { managers: await Promise.all(managers), nodes: await Promise.all(nodes) };
  }

  /** The nodes of the last process say nothing more; their connections stay. */
  silence(): void {
    this.hollow.at(-1)?.kill('SIGSTOP');
  }

  async end(): Promise<void> {
    this.hollow.at(-1)?.kill('SIGCONT');
    for (const child of this.hollow) if (child.connected) child.disconnect();
    await Promise.all(this.managers.map((manager) => manager.end('SIGTERM')));
    if (this.profile !== undefined) {
      for (const [at, { output }] of this.managers.entries())
        writeFileSync(join(this.profile, `manager${at}.log`), output);
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Asks one process; see fleet-memory.ts. */
async function holding(pid: number | undefined, output: () => string): Promise<string> {
  const told = () => [...output().matchAll(/held: (\d+) (\d+)/g)];
  const before = told().length;
  process.kill(pid as number, 'SIGUSR2');
  const asked_ms = performance.now();
  while (told().length === before) {
    if (performance.now() - asked_ms > answer_ms_max) throw new Error(`process ${pid} does not say what it holds`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const [, heap, beside] = told().at(-1) as RegExpMatchArray;
  return [heap, beside].map((bytes) => (Number(bytes) / 2 ** 20).toFixed(1)).join(' + ');
}
