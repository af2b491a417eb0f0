import { request } from 'node:http';
import type { Host } from '../src/lab/host.js';
import { Lab } from '../src/lab/lab.js';
import {
  image,
  inTurn,
  type ListedTask,
  missing,
  type Running,
  settled,
  serviceSpec as specOf,
  type Times,
  tasksPath,
  timed as timedAfter,
  verbs,
} from './convergence.js';
import { median, printTable } from './figures.js';

const managers = 3;
// Docker's agents ask the image's registry before each task, on every node: this one refuses at once, where Docker Hub, which no host of the
// lab reaches, would cost each wave ten seconds.
const registry = '127.0.0.1:1';
const attempt_ms = 100;
const answer_ms_max = 30_000;
const idle_ms_max = 5_000;

/** One orchestrator on hosts of its own. Both speak Docker's API, so what is asked of them is the same. */
interface Side {
  lab: Lab;
  socketOf(host: Host): string;
}

export interface Wanted {
  sizes: readonly number[];
  rounds: number;
  /** How often a worker, and then the leader, loses its power. */
  losses: number;
}

/**
 * The same work for Shoal and for Docker's own Swarm mode, in turn in one run: each on three managers and a worker with engines of their own.
 * Declared services until they run as `GET /tasks` tells it; tasks of a worker whose power is cut until as many run elsewhere; and the next write
 * that is acknowledged after the leader's is cut, tried ten times a second at both other managers.
 */
export async function againstSwarm({ sizes, rounds, losses }: Wanted): Promise<void> {
  const hosts = { hosts: managers + 1, sharedEngine: undefined, engineFlags: [] };
  const labs: Lab[] = [];
  try {
    labs.push(await Lab.up({ name: 'bswarm', ...hosts, daemonFlags: undefined }));
    labs.push(await Lab.up({ name: 'bshoal', ...hosts, daemonFlags: [] }));
    const [one, other] = labs as [Lab, Lab];
    const swarm: Side = { lab: one, socketOf: (host) => host.engineSocket };
    const shoal: Side = { lab: other, socketOf: (host) => host.apiSocket };
    for (const side of [swarm, shoal]) await form(side);
    const rows: string[][] = [];
    const compare = (what: string, theirs: readonly number[], ours: readonly number[]) => {
      const [their, own] = [median(theirs), median(ours)];
      rows.push([what, `${Math.round(their)} ms`, `${Math.round(own)} ms`, (own / their).toFixed(2)]);
      console.error(rows.at(-1)?.join('  '));
    };
    const both = <T>(count: number, measure: (side: Side) => Promise<T>) =>
      inTurn(
        count,
        () => measure(swarm),
        () => measure(shoal),
      );
    // What neither side does for the first time shall be measured.
    if (sizes.length > 0) for (const side of [swarm, shoal]) await services(side, managers + 1);
    for (const size of sizes) {
      const [theirs, ours] = await both(rounds, (side) => services(side, size));
      for (const verb of verbs) {
        const of = (times: readonly Times[]) => times.map((one) => one[verb]);
        compare(`${verb} ${size}`, of(theirs), of(ours));
      }
    }
    if (losses > 0) {
      compare('lost worker: its tasks run elsewhere', ...(await both(losses, lostWorker)));
      compare('lost leader: next write', ...(await both(losses, lostLeader)));
    }
    printTable(['', 'Docker Swarm', 'Shoal', 'ratio'], rows);
  } finally {
    for (const lab of labs) await lab.down();
  }
}

async function form(side: Side): Promise<void> {
  const [first, ...others] = side.lab.hosts as [Host, ...Host[]];
  const join = (host: Host) => ({ ListenAddr: `${host.address}:2377`, AdvertiseAddr: host.address });
  await ask(side, first, 'POST', '/swarm/init', join(first));
  const { JoinTokens } = await ask<{ JoinTokens: { Manager: string; Worker: string } }>(side, first, 'GET', '/swarm');
  for (const host of others) {
    const JoinToken = host.index <= managers ? JoinTokens.Manager : JoinTokens.Worker;
    await ask(side, host, 'POST', '/swarm/join', { ...join(host), RemoteAddrs: [`${first.address}:2377`], JoinToken });
  }
  await nodesReady(side);
  const [repo, tag] = image.split(':');
  for (const { engineSocket } of side.lab.hosts) {
    await call(engineSocket, 'POST', `/images/${image}/tag?repo=${registry}/${repo}&tag=${tag}`);
  }
}

function serviceSpec(name: string, replicas: number, force: number): object {
  return specOf(name, replicas, force, `${registry}/${image}`);
}

/** Declares a service of `size`, half as many again, all of them anew at once, and none; each until it is so. In ms. */
async function services(side: Side, size: number): Promise<Times> {
  const [host] = side.lab.hosts as [Host];
  const update = async (replicas: number, force: number) => {
    const { Version } = await ask<{ Version: { Index: number } }>(side, host, 'GET', '/services/bench');
    await ask(
      side,
      host,
      'POST',
      `/services/bench/update?version=${Version.Index}`,
      serviceSpec('bench', replicas, force),
    );
  };
  const more = size + Math.ceil(size / 2);
  const create = await timed(async () => {
    await ask(side, host, 'POST', '/services/create', serviceSpec('bench', size, 0));
    await running(side, host, { count: size });
  });
  const scale = await timed(async () => {
    await update(more, 0);
    await running(side, host, { count: more });
  });
  const replace = await timed(async () => {
    await update(more, 1);
    await running(side, host, { count: more, force: 1 });
  });
  const remove = await timed(() => removed(side, host));
  return { create, scale, replace, remove };
}

async function lostWorker(side: Side): Promise<number> {
  const [host] = side.lab.hosts as [Host];
  const worker = side.lab.hosts.at(-1) as Host;
  await ask(side, host, 'POST', '/services/create', serviceSpec('bench', 8, 0));
  await running(side, host, { count: 8 });
  const lost = (await nodes(side, host)).find(({ Status }) => Status.Addr === worker.address)?.ID as string;
  const time_ms = await timed(async () => {
    await worker.crash();
    await running(side, host, { count: 8, without: lost });
  });
  await worker.start();
  await nodesReady(side);
  await removed(side, host);
  return time_ms;
}

async function lostLeader(side: Side): Promise<number> {
  const [first] = side.lab.hosts as [Host];
  const leads = (await nodes(side, first)).find(({ ManagerStatus }) => ManagerStatus?.Leader);
  const leader = side.lab.hosts.find(({ address }) => leads?.ManagerStatus?.Addr.startsWith(`${address}:`)) as Host;
  const others = side.lab.hosts.slice(0, managers).filter((host) => host !== leader);
  const time_ms = await timed(async () => {
    const cut = leader.crash();
    await nextWrite(side, others);
    await cut;
  });
  await leader.start();
  await nodesReady(side);
  const list = await ask<{ ID: string }[]>(side, others[0] as Host, 'GET', '/services');
  for (const { ID } of list) await ask(side, others[0] as Host, 'DELETE', `/services/${ID}`);
  return time_ms;
}

/** Resolves with the first service that is taken. What hangs on the way to a leader that is gone is not waited for. */
function nextWrite(side: Side, hosts: readonly Host[]): Promise<void> {
  return new Promise((resolve) => {
    let attempts = 0;
    const timer = setInterval(() => {
      for (const host of hosts) {
        const body = serviceSpec(`write${attempts++}`, 0, 0);
        ask(side, host, 'POST', '/services/create', body).then(
          () => {
            clearInterval(timer);
            resolve();
          },
          () => {}, // the next one is on its way
        );
      }
    }, attempt_ms);
  });
}

function timed(work: () => Promise<void>): Promise<number> {
  return timedAfter(work, idle_ms_max);
}

async function running(side: Side, host: Host, wanted: Running): Promise<void> {
  await settled(async () => missing(await ask<ListedTask[]>(side, host, 'GET', tasksPath), wanted));
}

/** Removes the service; until nothing is left of it on any engine. */
async function removed(side: Side, host: Host): Promise<void> {
  await ask(side, host, 'DELETE', '/services/bench');
  await settled(async () => {
    const lists = await Promise.all(
      side.lab.hosts.map((one) => call<unknown[]>(one.engineSocket, 'GET', '/containers/json?all=1')),
    );
    return lists.every((list) => list.length === 0) ? undefined : 'containers are left';
  });
}

interface ListedNode {
  ID: string;
  Status: { State: string; Addr: string };
  ManagerStatus?: { Leader?: boolean; Addr: string; Reachability: string };
}

function nodes(side: Side, host: Host): Promise<ListedNode[]> {
  return ask<ListedNode[]>(side, host, 'GET', '/nodes');
}

async function nodesReady(side: Side): Promise<void> {
  const [host] = side.lab.hosts as [Host];
  await settled(async () => {
    const list = await nodes(side, host).catch(() => []);
    const ready = list.filter(({ Status, ManagerStatus }) => {
      const isReachable = ManagerStatus === undefined || ManagerStatus.Reachability === 'reachable';
      return Status.State === 'ready' && isReachable;
    });
    return ready.length === side.lab.hosts.length ? undefined : `${ready.length} nodes are ready`;
  });
}

function ask<T = unknown>(side: Side, host: Host, method: string, path: string, body?: object): Promise<T> {
  return call(side.socketOf(host), method, path, body);
}

/** One request on a connection of its own. Throws what is not a success. */
function call<T>(socketPath: string, method: string, path: string, body?: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request({ socketPath, method, path, headers, timeout: answer_ms_max }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        if ((response.statusCode ?? 500) >= 300) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        else resolve((text === '' ? undefined : JSON.parse(text)) as T);
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)));
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
