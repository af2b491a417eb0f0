import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Host } from '../src/lab/host.js';
import { Lab } from '../src/lab/lab.js';
import { eventually } from '../test/helpers/lab.js';
import { ask, type CallFigures, measuredCalls, type Side, sideOf } from './api-calls.js';
import { slowClients } from './api-slow.js';
import { comparedStreams, containerWithLog, download, LargeImage } from './api-streams.js';
import { printTable } from './figures.js';

const nowhere = { Constraints: ['node.labels.nowhere==yes'] };
const parts = ['calls', 'streams', 'lists', 'slow'];

/**
 * The API against the engine that Docker's own would be: calls and streams that pass through against the bare engine, lists of a large
 * cluster against Docker's Swarm mode on an engine of its own, and the daemon's memory while many clients read slowly.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: parts.join(',') },
      services: { type: 'string', default: '1000' },
      replicas: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      clients: { type: 'string', default: '1000' },
      streams: { type: 'string', default: 'log,load' },
    },
  });
  const [services, replicas, seconds, rounds, clients] = [
    values.services,
    values.replicas,
    values.seconds,
    values.rounds,
    values.clients,
  ].map(Number) as [number, number, number, number, number];
  const only = new Set(values.only.split(','));
  const lab = await Lab.up({ name: 'bapi', hosts: 2, sharedEngine: undefined, engineFlags: [], daemonFlags: [] });
  try {
    const [own, other] = lab.hosts as [Host, Host];
    const shoal = sideOf(own.apiSocket);
    await ask(shoal, 'POST', '/swarm/init', { ListenAddr: `${own.address}:2377`, AdvertiseAddr: own.address });
    const engine = sideOf(own.engineSocket);
    if (only.has('calls')) await compareCalls(engine, shoal, seconds);
    if (only.has('streams')) await compareStreams(engine, shoal, rounds, new Set(values.streams.split(',')));
    if (only.has('slow')) await slowClients(own, clients);
    if (only.has('lists')) {
      const swarm = sideOf(other.engineSocket);
      await ask(swarm, 'POST', '/swarm/init', { ListenAddr: `${other.address}:2399`, AdvertiseAddr: other.address });
      await compareLists(swarm, shoal, services, replicas, seconds);
    }
  } finally {
    await lab.down();
  }
}

type Comparison = (name: string, path: string) => Promise<void>;

async function compare(limit: Side, shoal: Side, seconds: number, work: (row: Comparison) => Promise<void>) {
  const rows: string[][] = [];
  const shown = ({ p50_ms, rate }: CallFigures) => [`${p50_ms.toFixed(2)} ms`, rate.toFixed(0)];
  await work(async (name, path) => {
    const theirs = await measuredCalls(limit, path, seconds);
    const ours = await measuredCalls(shoal, path, seconds);
    const added_ms = ours.p50_ms - theirs.p50_ms;
    rows.push([name, ...shown(theirs), ...shown(ours), (ours.p50_ms / theirs.p50_ms).toFixed(2), added_ms.toFixed(2)]);
  });
  printTable(['', "Docker's p50", '/s', 'Shoal p50', '/s', 'p50 ratio', 'added ms'], rows);
}

async function compareCalls(engine: Side, shoal: Side, seconds: number): Promise<void> {
  const spec = { Image: 'shoal/web:1' };
  const { Id } = JSON.parse(await ask(engine, 'POST', '/containers/create', spec)) as { Id: string };
  await compare(engine, shoal, seconds, async (row) => {
    await row('ping', '/_ping');
    await row('container inspect', `/v1.41/containers/${Id}/json`);
    await row('containers', '/v1.41/containers/json?all=1');
  });
}

async function compareStreams(engine: Side, shoal: Side, rounds: number, kinds: ReadonlySet<string>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-bench-'));
  const socketPath = join(folder, 'pipe.sock');
  const program = fileURLToPath(new URL('./bare-pipe.js', import.meta.url));
  const pipe = fork(program, [socketPath, engine.socketPath]);
  try {
    await once(pipe, 'message');
    await compareTransfers([engine, sideOf(socketPath), shoal], rounds, kinds);
  } finally {
    pipe.kill();
    rmSync(folder, { recursive: true });
  }
}

async function compareTransfers(sides: readonly Side[], rounds: number, kinds: ReadonlySet<string>): Promise<void> {
  const [engine] = sides as [Side];
  const compared = async (name: string, transfer: (side: Side) => Promise<number>) => {
    const rates = await comparedStreams(sides, rounds, transfer);
    const ratios = rates.slice(1).map((rate) => (rate / rates[0]!).toFixed(2));
    const row = [name, ...rates.map((rate) => rate.toFixed(0)), ...ratios];
    printTable(['', "engine's MB/s", 'a bare pipe', 'Shoal', "pipe's ratio", "Shoal's"], [row]);
  };
  if (kinds.has('log')) {
    const id = await containerWithLog(engine, 100e6);
    await compared('log of 100 MB', (side) => download(side, `/containers/${id}/logs?stdout=1`));
  }
  if (kinds.has('load')) {
    const image = new LargeImage(1000);
    await compared('image load of 1 GB', async (side) => {
      const bytes = await image.load(side);
      await ask(engine, 'DELETE', `/images/${image.name}`);
      return bytes;
    });
  }
}

/** The tasks wait for a node that does not exist, so both sides hold them and run none. */
async function compareLists(swarm: Side, shoal: Side, services: number, replicas: number, seconds: number) {
  for (const side of [shoal, swarm]) {
    const spec = { TaskTemplate: { ContainerSpec: { Image: 'shoal/web:1', Env: ['A=b'] }, Placement: nowhere } };
    const Mode = { Replicated: { Replicas: replicas } };
    for (let at = 0; at < services; at++)
      await ask(side, 'POST', '/services/create', { Name: `s${at}`, ...spec, Mode });
    await eventually(async () => {
      const count = (JSON.parse(await ask(side, 'GET', '/tasks')) as unknown[]).length;
      return count === services * replicas ? undefined : `${count} tasks`;
    }, 120_000);
  }
  const one = encodeURIComponent('{"service":["s7"]}');
  await compare(swarm, shoal, seconds, async (row) => {
    await row(`services (${services})`, '/v1.41/services');
    await row('services with their status', '/v1.41/services?status=true');
    await row(`tasks (${services * replicas})`, '/v1.41/tasks');
    await row('tasks of one service', `/v1.41/tasks?filters=${one}`);
    await row('one service', '/v1.41/services/s7');
  });
}
