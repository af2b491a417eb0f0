import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/model/paths.js';
import { DaemonProcess } from '../test/helpers/daemon-process.js';
import { freePort } from '../test/helpers/daemons.js';
import { printTable } from './figures.js';
import type { HollowNodes } from './fleet-nodes.js';
import { cpuSeconds } from './raft-groups.js';

const managerCount = 3;
const patience_ms = 150_000;
const look_ms = 200;
const callsAtOnce = 16;

/**
 * A large cluster on one machine: three real managers (`shoal daemon`, a process each, with Raft, disk and mutual TLS over loopback) and hollow
 * nodes, a few processes of many (see fleet-nodes.ts). How fast tasks get from a declaration to running, what managers hold in memory, what the
 * fleet costs when nothing happens, and how long it takes to run again what a tenth of the nodes ran that fall silent at once.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      nodes: { type: 'string', default: '1000' },
      tasks: { type: 'string', default: '100000' },
      services: { type: 'string', default: '100' },
      processes: { type: 'string', default: '2' },
      idle: { type: 'string', default: '10' },
      profile: { type: 'string' },
    },
  });
  const [nodes, tasks, services] = [Number(values.nodes), Number(values.tasks), Number(values.services)];
  const directory = await mkdtemp(join(tmpdir(), 'shoal-bench-fleet-'));
  const flags = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const managers: DaemonProcess[] = [];
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => {
    for (const { pid } of managers) if (pid !== undefined) process.kill(pid, 'SIGKILL'); // those that were not ended in good order
  });
  const hollow: ChildProcess[] = [];
  const rows: string[][] = [];
  const note = (what: string, figure: string) => {
    console.error(`${what}: ${figure}`);
    rows.push([what, figure]);
  };
  try {
    const { addresses, token } = await startManagers(directory, managers, flags);
    const [first] = managers as [DaemonProcess];
    const cpuOf = (of: readonly { pid?: number | undefined }[]) => cpuSeconds({ processes: of });

    const lost = Math.ceil(nodes / 10); // the last process has those that will fall silent
    const each = Math.ceil((nodes - lost) / Number(values.processes));
    const sizes = Array.from({ length: Number(values.processes) }, (_, at) => Math.min(each, nodes - lost - at * each));
    const joined = await seconds(async () => {
      let firstNumber = 0;
      const starts: Promise<void>[] = [];
      for (const count of [...sizes, lost]) {
        starts.push(startHollow({ count, firstNumber, token, managers: addresses }, hollow, flags));
        firstNumber += count;
      }
      await Promise.all(starts);
      await eventually(
        'all nodes are ready',
        async () => {
          const list = (await first.ok('GET', '/nodes')) as { Status: { State: string } }[];
          return list.filter((node) => node.Status.State === 'ready').length;
        },
        nodes,
      );
    });
    note(`${nodes} nodes joined`, `${joined.toFixed(1)} s`);

    const running = async () => {
      const list = (await first.ok('GET', '/services?status=true')) as { ServiceStatus: { RunningTasks: number } }[];
      return list.reduce((sum, { ServiceStatus }) => sum + ServiceStatus.RunningTasks, 0);
    };
    const cpuBefore = cpuOf(managers);
    const started = await seconds(async () => {
      await declare(managers, services, Math.ceil(tasks / services));
      await eventually('all tasks run', running, Math.ceil(tasks / services) * services);
    });
    note(`${tasks} tasks of ${services} services run`, `${started.toFixed(1)} s`);
    note('tasks a second', (tasks / started).toFixed(0));
    note('CPU of the managers a task', `${((1e6 * (cpuOf(managers) - cpuBefore)) / tasks).toFixed(0)} µs`);

    await pause(5_000);
    const idleBefore = [cpuOf(managers), cpuOf(hollow)] as const;
    const idle = await seconds(() => pause(Number(values.idle) * 1000));
    note('idle: CPU of the managers', `${((100 * (cpuOf(managers) - idleBefore[0])) / idle).toFixed(1)} % of a core`);
    note('idle: CPU of the nodes', `${((100 * (cpuOf(hollow) - idleBefore[1])) / idle).toFixed(1)} % of a core`);
    note('memory of each manager', managers.map(({ pid }) => `${memory(pid as number)} MB`).join(', '));

    const silent = hollow.at(-1) as ChildProcess;
    let down = 0;
    const healed = await seconds(async () => {
      silent.kill('SIGSTOP');
      const began = performance.now();
      await eventually('the loss is noticed', async () => Number((await running()) < tasks), 1);
      down = (performance.now() - began) / 1000;
      await eventually('all tasks run again', running, Math.ceil(tasks / services) * services);
    });
    note(`${lost} nodes silent at once: first found down`, `${down.toFixed(1)} s`);
    note(`${lost} nodes silent at once: all their tasks run elsewhere`, `${healed.toFixed(1)} s`);
    note('memory of each manager then', managers.map(({ pid }) => `${memory(pid as number)} MB`).join(', '));
    printTable(['', ''], rows);
  } finally {
    hollow.at(-1)?.kill('SIGCONT');
    for (const child of hollow) child.disconnect();
    await Promise.all(managers.map((manager) => manager.end('SIGTERM')));
    if (values.profile !== undefined) {
      for (const [at, { output }] of managers.entries())
        writeFileSync(join(values.profile, `manager${at}.log`), output);
    }
    await rm(directory, { recursive: true, force: true });
  }
}

async function startManagers(directory: string, managers: DaemonProcess[], flags: readonly string[]) {
  const addresses: string[] = [];
  for (let at = 0; at < managerCount; at++) {
    const address = `127.0.0.1:${await freePort()}`;
    addresses.push(address);
    const manager = new DaemonProcess(await mkdtemp(join(directory, 'manager-')), address, 'api.sock', flags);
    managers.push(manager);
    await manager.start();
    if (manager.exitCode !== null) throw new Error(`a manager did not start: ${manager.output}`);
  }
  const [first, ...others] = managers as [DaemonProcess, ...DaemonProcess[]];
  await first.ok('POST', '/swarm/init', { ListenAddr: addresses[0], AdvertiseAddr: addresses[0] });
  const { JoinTokens } = await first.ok('GET', '/swarm');
  for (const manager of others) {
    await manager.ok('POST', '/swarm/join', {
      ListenAddr: manager.address,
      AdvertiseAddr: manager.address,
      RemoteAddrs: [addresses[0]],
      JoinToken: JoinTokens.Manager,
    });
  }
  return { addresses, token: JoinTokens.Worker as string };
}

/** Resolves once every node of the process has a session. */
async function startHollow(nodes: HollowNodes, processes: ChildProcess[], flags: readonly string[]): Promise<void> {
  const program = join(packageRoot(), 'dist', 'bench', 'fleet-nodes.js');
  const child = fork(program, [JSON.stringify(nodes)], { execArgv: [...flags] });
  processes.push(child);
  const [end] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
  if (end !== 'joined') throw new Error(`a process of hollow nodes ended with ${end}`);
}

/** Declares the services, through all managers in turn. */
async function declare(managers: readonly DaemonProcess[], services: number, replicas: number): Promise<void> {
  let next = 0;
  const client = async () => {
    while (next < services) {
      const at = next++;
      await (managers[at % managers.length] as DaemonProcess).ok('POST', '/services/create', {
        Name: `fleet${at}`,
        TaskTemplate: { ContainerSpec: { Image: 'web' } },
        Mode: { Replicated: { Replicas: replicas } },
      });
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, client));
}

async function eventually(what: string, count: () => Promise<number>, wanted: number): Promise<void> {
  const began = performance.now();
  for (let told_ms = began; ; ) {
    const asked = performance.now();
    const now = await count().catch(() => -1); // a manager may say that there is no leader
    const took_ms = performance.now() - asked;
    if (now === wanted) return;
    if (performance.now() - began > patience_ms)
      throw new Error(`it did not come to be that ${what}: ${now} of ${wanted}`);
    if (performance.now() - told_ms > 5_000) {
      told_ms = performance.now();
      console.error(`${((told_ms - began) / 1000).toFixed(0)} s: ${what}: ${now} of ${wanted}`);
    }
    await pause(Math.max(look_ms, 10 * took_ms)); // counting 100,000 tasks is work for a manager too
  }
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}

/** Resident, in MB; in brackets the most it has been. */
function memory(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (field: string) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024);
  return `${of('VmRSS')} (${of('VmHWM')})`;
}
