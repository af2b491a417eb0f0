import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { median, printTable } from './figures.js';
import { putPath, putRequest, rangePath, rangeRequest } from './raft-client.js';
import { Connection } from './raft-connection.js';
import { cpuSeconds, etcdVersion, type Group, leaderOf, startEtcd, startShoal, stop } from './raft-groups.js';

const valueBytes = 256;
const keys = 1000;
const patience_ms = 10_000;
const attempt_ms = 200;

type Kind = 'write' | 'read';
interface Cell {
  perSecond: number;
  p50_ms: number;
  p99_ms: number;
  /** Of all three nodes. */
  cpuSecondsPer10000: number;
  /** Of one core, that the client took: near 100 it is what was measured. */
  clientPercent: number;
}

/**
 * Commits and linearizable reads of three of our managers' Raft beside three nodes of etcd: the same client, machine and disk, in turn
 * in one run. Both take a snapshot after `--snapshots` entries. `--profile DIR` leaves a processor profile of each of our nodes there.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      clients: { type: 'string', default: '1,64,512' },
      warmup: { type: 'string', default: '8' },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
      sides: { type: 'string', default: 'etcd,Shoal' },
      kinds: { type: 'string', default: 'write,read' },
      kills: { type: 'string', default: '3' },
      snapshots: { type: 'string', default: '10000' },
      profile: { type: 'string' },
    },
  });
  const sides = values.sides.split(',');
  if (sides.includes('etcd')) console.log(await etcdVersion());
  const directory = await mkdtemp(join(tmpdir(), 'shoal-bench-raft-'));
  const nodeFlags = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`];
  const snapshotEvery = Number(values.snapshots);
  const groups: Group[] = [];
  try {
    if (sides.includes('etcd')) groups.push(await startEtcd(directory, snapshotEvery));
    if (sides.includes('Shoal')) groups.push(await startShoal(directory, snapshotEvery, nodeFlags));
    // A manager runs for weeks: what V8 takes to compile our code in its first seconds is not what a commit costs.
    for (const group of groups) {
      for (const kind of ['write', 'read'] as const) await measure(group, kind, 64, Number(values.warmup) / 2);
    }
    await steadyState(groups, {
      kinds: values.kinds.split(',').map((kind) => (kind === 'read' ? 'read' : 'write')),
      clients: values.clients.split(',').map(Number),
      seconds: Number(values.seconds),
      rounds: Number(values.rounds),
    });
    if (Number(values.kills) > 0) await failover(groups, directory, snapshotEvery, Number(values.kills));
  } finally {
    for (const group of groups) await stop(group);
    await rm(directory, { recursive: true });
  }
}

interface Plan {
  kinds: Kind[];
  clients: number[];
  seconds: number;
  rounds: number;
}

async function steadyState(groups: Group[], { kinds, clients, seconds, rounds }: Plan): Promise<void> {
  const rows: string[][] = [];
  for (const kind of kinds) {
    for (const count of clients) {
      const cells = groups.map((): Cell[] => []);
      for (let round = 0; round < rounds; round++) {
        for (const [place, group] of groups.entries()) cells[place]?.push(await measure(group, kind, count, seconds));
      }
      for (const [place, group] of groups.entries()) {
        const of = (name: keyof Cell) => median((cells[place] as Cell[]).map((cell) => cell[name]));
        rows.push([
          `${kind} ${count}`,
          group.name,
          of('perSecond').toFixed(0),
          of('p50_ms').toFixed(2),
          of('p99_ms').toFixed(2),
          of('cpuSecondsPer10000').toFixed(2),
          of('clientPercent').toFixed(0),
        ]);
      }
    }
  }
  printTable(['clients in flight', 'side', 'per second', 'p50 ms', 'p99 ms', 'CPU s per 10,000', 'client CPU %'], rows);
}

/** Each client sends its next request when the last is answered; a third of them to each node, the first to the leader. */
async function measure(group: Group, kind: Kind, clients: number, seconds: number): Promise<Cell> {
  const leader = await leaderOf(group);
  const connections = group.ports.map((port) => new Connection(port));
  const value = randomBytes(valueBytes);
  const path = kind === 'write' ? putPath : rangePath;
  const request = (n: number) => {
    const key = `key-${String(n % keys).padStart(12, '0')}`;
    return kind === 'write' ? putRequest(key, value) : rangeRequest(key);
  };
  let sent = 0;
  let isOver = false;
  let times_ms: number[] = [];
  const client = async (number: number) => {
    const connection = connections[(leader + number) % connections.length] as Connection;
    while (!isOver) {
      const start_ms = performance.now();
      await connection.call(path, request(sent++), patience_ms);
      times_ms.push(performance.now() - start_ms);
    }
  };
  const running = Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  times_ms = [];
  const [start_ms, startCpu, startOwn] = [performance.now(), cpuSeconds(group), process.cpuUsage()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [measured, cpu, took_ms] = [times_ms, cpuSeconds(group) - startCpu, performance.now() - start_ms];
  const own = process.cpuUsage(startOwn);
  isOver = true;
  times_ms = [];
  await running;
  for (const connection of connections) connection.close();
  measured.sort((left, right) => left - right);
  const at = (part: number) =>
    measured[Math.min(measured.length - 1, Math.floor(measured.length * part))] ?? Number.NaN;
  return {
    perSecond: (measured.length / took_ms) * 1000,
    p50_ms: at(0.5),
    p99_ms: at(0.99),
    cpuSecondsPer10000: (cpu / measured.length) * 10_000,
    clientPercent: (own.user + own.system) / 10 / took_ms,
  };
}

/** From killing the leader to the next write that is acknowledged through any of the other two, on fresh groups. */
async function failover(measured: Group[], directory: string, snapshotEvery: number, kills: number): Promise<void> {
  const times = measured.map((): number[] => []);
  for (let kill = 0; kill < kills; kill++) {
    for (const [place, { name }] of measured.entries()) {
      const folder = await mkdtemp(join(directory, 'kill-'));
      const group =
        name === 'etcd' ? await startEtcd(folder, snapshotEvery) : await startShoal(folder, snapshotEvery, []);
      try {
        times[place]?.push(await killLeader(group));
      } finally {
        await stop(group);
      }
    }
  }
  console.log();
  const rows = measured.map(({ name }, place) => {
    const sorted = (times[place] as number[]).sort((left, right) => left - right);
    return [name, ...[sorted[0], median(sorted), sorted.at(-1)].map((time) => (time as number).toFixed(0))];
  });
  printTable(['leader killed: next write after', 'least ms', 'median ms', 'most ms'], rows);
}

async function killLeader(group: Group): Promise<number> {
  const leader = await leaderOf(group);
  const connections = group.ports.map((port) => new Connection(port));
  const write = putRequest('key', randomBytes(valueBytes));
  const others = connections.filter((_, place) => place !== leader);
  for (const connection of others) await connection.call(putPath, write, patience_ms);
  group.processes[leader]?.kill('SIGKILL');
  const start_ms = performance.now();
  let isOver = false;
  const acknowledged = async (connection: Connection): Promise<void> => {
    while (!isOver) {
      // Short: a request that a node took while nobody led may hang there for long after somebody does.
      const done = await connection.call(putPath, write, attempt_ms).then(
        () => true,
        () => false,
      );
      if (done) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.any(others.map(acknowledged));
  const took_ms = performance.now() - start_ms;
  isOver = true;
  for (const connection of connections) connection.close();
  return took_ms;
}
