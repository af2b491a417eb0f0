import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import type { Host } from '../src/lab/host.js';
import { Lab } from '../src/lab/lab.js';
import { jsonLines } from '../src/worker/json-lines.js';
import { api, eventually, formCluster } from '../test/helpers/lab.js';
import { againstSwarm } from './converge-swarm.js';
import {
  command,
  image,
  inTurn,
  type ListedTask,
  missing,
  type Running,
  serviceSpec,
  settled,
  type Times,
  tasksPath,
  timed,
  verbs,
} from './convergence.js';
import { median, printTable } from './figures.js';

/**
 * How long a service takes from the request until what was declared runs, against the same containers started straight on the same
 * engines, all at once: the limit. Both sides in turn, in one run, on three hosts that are all managers. With `--vs swarm` against Docker's own
 * Swarm mode instead: see converge-swarm.ts.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      sizes: { type: 'string', default: '6,12,32,64' },
      rounds: { type: 'string', default: '3' },
      hosts: { type: 'string', default: '3' },
      vs: { type: 'string', default: 'engines' },
      losses: { type: 'string', default: '2' },
    },
  });
  const sizes = values.sizes.split(',').map(Number);
  if (values.vs === 'swarm') {
    return againstSwarm({
      sizes: sizes.filter((size) => size > 0),
      rounds: Number(values.rounds),
      losses: Number(values.losses),
    });
  }
  const lab = await Lab.up({
    name: 'bench',
    hosts: Number(values.hosts),
    sharedEngine: undefined,
    engineFlags: [],
    daemonFlags: [],
  });
  try {
    await formCluster(lab, lab.hosts.length);
    await nodesReady(lab);
    await warmUp(lab, Math.max(...sizes));
    const rows: string[][] = [];
    for (const size of sizes) {
      const [limits, ours] = await inTurn(
        Number(values.rounds),
        () => measureEngines(lab, size),
        () => measureShoal(lab, size),
      );
      for (const verb of verbs) {
        const limit = median(limits.map((times) => times[verb]));
        const own = median(ours.map((times) => times[verb]));
        rows.push([`${verb} ${size}`, `${Math.round(limit)} ms`, `${Math.round(own)} ms`, (own / limit).toFixed(2)]);
      }
    }
    printTable(['', 'bare engines', 'Shoal', 'ratio'], rows);
  } finally {
    await lab.down();
  }
}

/** Both sides once, unmeasured: V8 compiles what runs often, and the engines fetch what they never used into memory. */
async function warmUp(lab: Lab, size: number): Promise<void> {
  await measureEngines(lab, size);
  await measureShoal(lab, size);
}

/** `size` containers in all, scaled up by half as many again, all replaced, all removed; every request sent at once. */
async function measureEngines(lab: Lab, size: number): Promise<Times> {
  const engines = lab.hosts.map((host) => new Docker({ socketPath: host.engineSocket }));
  const start = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, at) => {
        const engine = engines[at % engines.length] as Docker;
        const container = await engine.createContainer({ Image: image, Cmd: command });
        await container.start();
        return container;
      }),
    );
  const end = (containers: readonly Docker.Container[]) =>
    Promise.all(
      containers.map(async (container) => {
        await container.stop({ t: 10 });
        await container.remove({ v: true });
      }),
    );
  let running: Docker.Container[] = [];
  const create = await timed(async () => {
    running = await start(size);
  });
  const scale = await timed(async () => {
    running.push(...(await start(Math.ceil(size / 2))));
  });
  const replace = await timed(async () => {
    const old = running;
    [running] = await Promise.all([start(old.length), Promise.all(old.map((container) => container.stop({ t: 10 })))]);
    void Promise.all(old.map((container) => container.remove({ v: true }))).catch(() => {}); // history, as a service keeps it
  });
  const remove = await timed(async () => {
    await end(running);
  });
  await settled(async () => ((await containersIn(engines)) === 0 ? undefined : 'containers are left'));
  return { create, scale, replace, remove };
}

async function measureShoal(lab: Lab, size: number): Promise<Times> {
  const [host] = lab.hosts as [Host];
  const engines = lab.hosts.map((one) => new Docker({ socketPath: one.engineSocket }));
  const update = async (replicas: number, force: number) => {
    const { Version } = await expect(api<{ Version: { Index: number } }>(host, 'GET', '/services/bench'));
    await expect(
      api(host, 'POST', `/services/bench/update?version=${Version.Index}`, serviceSpec('bench', replicas, force)),
    );
  };
  const more = size + Math.ceil(size / 2);
  const starts = await EventCount.of(engines, 'start');
  const ends = await EventCount.of(engines, 'destroy');
  try {
    const create = await timed(async () => {
      await expect(api(host, 'POST', '/services/create', serviceSpec('bench', size, 0)));
      await starts.reached(size);
      await running(host, { count: size });
    });
    const scale = await timed(async () => {
      await update(more, 0);
      await starts.reached(more);
      await running(host, { count: more });
    });
    const replace = await timed(async () => {
      await update(more, 1);
      await starts.reached(2 * more);
      await running(host, { count: more, force: 1 });
    });
    const remove = await timed(async () => {
      await expect(api(host, 'DELETE', '/services/bench'));
      await ends.reached(2 * more);
      await settled(async () => ((await containersIn(engines)) === 0 ? undefined : 'containers are left'));
    });
    return { create, scale, replace, remove };
  } finally {
    starts.close();
    ends.close();
  }
}

/** Counts what engines tell of: cheaper than to ask the side that is measured, again and again, while it still works. */
class EventCount {
  private count = 0;
  private waiting: { until: number; call: () => void } | undefined;
  private readonly closing = new AbortController();

  static async of(engines: readonly Docker[], event: string): Promise<EventCount> {
    const counter = new EventCount();
    await Promise.all(engines.map((engine) => counter.listen(engine, event)));
    return counter;
  }

  /** When so many were seen, or a minute has passed: then a look tells what is wrong. */
  async reached(until: number): Promise<void> {
    if (this.count >= until) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 60_000);
      const call = () => {
        clearTimeout(timer);
        resolve();
      };
      this.waiting = { until, call };
    });
  }

  close(): void {
    this.closing.abort();
  }

  private async listen(engine: Docker, event: string): Promise<void> {
    const filters = JSON.stringify({ type: ['container'], event: [event] });
    const stream = await engine.getEvents({ filters, abortSignal: this.closing.signal } as Docker.GetEventsOptions);
    void (async () => {
      for await (const _ of jsonLines(stream)) {
        this.count += 1;
        if (this.waiting !== undefined && this.count >= this.waiting.until) this.waiting.call();
      }
    })().catch(() => {}); // closed
  }
}

async function expect<T>(call: Promise<{ status: number; body: T }>): Promise<T> {
  const { status, body } = await call;
  if (status >= 300) throw new Error(`the API answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** Until exactly so many tasks run, as the API tells it. */
async function running(host: Host, wanted: Running): Promise<void> {
  await settled(async () => missing(await expect(api<ListedTask[]>(host, 'GET', tasksPath)), wanted));
}

async function containersIn(engines: readonly Docker[]): Promise<number> {
  const lists = await Promise.all(engines.map((engine) => engine.listContainers({ all: true })));
  return lists.reduce((sum, list) => sum + list.length, 0);
}

async function nodesReady(lab: Lab): Promise<void> {
  const [host] = lab.hosts as [Host];
  await eventually(async () => {
    const { body } = await api<{ Status: { State: string } }[]>(host, 'GET', '/nodes');
    const ready = body.filter((node) => node.Status.State === 'ready').length;
    return ready === lab.hosts.length ? undefined : `${ready} nodes are ready`;
  });
}
