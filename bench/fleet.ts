import { parseArgs } from 'node:util';
import { printTable } from './figures.js';
import { FleetCluster } from './fleet-cluster.js';
import { type Cost, costOf, costRow, memoryOf } from './fleet-cost.js';

const patience_ms = 200_000;
const look_ms = 250;
const shareOfLooks = 10; // counting 100,000 tasks is work for a manager too: a tenth of its time at most, but for
const lookAgain_ms_max = 1_500; // looks that were slow because the manager was busy
const settle_ms = 5_000;

/**
 * A large cluster on one machine: three real managers (`shoal daemon`, a process each, with Raft, disk and mutual TLS over loopback) and hollow
 * nodes, a few processes of many (see fleet-nodes.ts). How fast tasks get from a declaration to running and what that costs whom, what managers
 * hold in memory, what the fleet costs when nothing happens, how long it takes to run again what a tenth of the nodes ran that fall silent at
 * once, and with `--cycles` whether all memory comes back when everything is removed and made anew.
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
      cycles: { type: 'string', default: '0' },
      profile: { type: 'string' },
      flags: { type: 'string', default: '' },
    },
  });
  const [nodes, services] = [Number(values.nodes), Number(values.services)];
  const replicas = Math.ceil(Number(values.tasks) / services);
  const tasks = replicas * services;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1));
  const flags = values.flags.split(' ').filter((flag) => flag !== '');
  const cluster = await FleetCluster.start(values.profile, Number(values.cycles) > 0, flags);
  const costs: string[][] = [];
  const figures: string[][] = [];
  const note = (what: string, figure: string) => {
    console.error(`${what}: ${figure}`);
    figures.push([what, figure]);
  };
  const phase = async (what: string, work: () => Promise<void>, count?: number): Promise<Cost> => {
    const parts = await cluster.parts();
    const from = profileTime();
    const cost = await costOf(parts, work);
    if (values.profile !== undefined) console.error(`${what}: in the profiles from ${from} to ${profileTime()}`);
    const row = costRow(what, cost, count);
    console.error(row.join('  '));
    costs.push(row);
    return cost;
  };
  const memory = () => cluster.managers.map(({ pid }) => memoryOf(pid as number)).join(', ');
  const weigh = async (when: string) => {
    const { managers, nodes } = await cluster.held();
    note(`memory of each manager, ${when}`, memory());
    note(`held by each manager (heap + beside, MB), ${when}`, managers.join(', '));
    note(`held by each process of nodes, ${when}`, nodes.join(', '));
  };
  const startAll = async () => {
    await cluster.declare(services, replicas);
    await eventually('all tasks run', () => cluster.runningTasks(), tasks);
  };
  try {
    const lost = Math.ceil(nodes / 10); // the last process has those that will fall silent
    await phase(
      'nodes join',
      async () => {
        await cluster.startNodes([...shares(nodes - lost, Number(values.processes)), lost]);
        await eventually('all nodes are ready', () => cluster.readyNodes(), nodes);
      },
      nodes,
    );
    note('memory of each manager, no tasks', memory());

    const start = await phase('tasks start', startAll, tasks);
    note(
      `${tasks} tasks of ${services} services on ${nodes} nodes: tasks a second`,
      (tasks / start.seconds).toFixed(0),
    );
    note('memory of each manager', memory());

    await pause(settle_ms);
    const idle = await phase('nothing happens', () => pause(Number(values.idle) * 1000));
    const share = (one: number) => `${((100 * one) / idle.seconds).toFixed(1)} % of a core`;
    note('idle: all managers, all nodes', `${share(idle.leader + idle.followers)}, ${share(idle.nodes)}`);

    if (Number(values.cycles) > 0) await weigh('everything started once');
    for (let cycle = 1; cycle <= Number(values.cycles); cycle++) {
      await phase(
        `removed, ${cycle}`,
        async () => {
          await cluster.removeServices(services);
          await eventually('no container is left', () => cluster.containers(), 0);
        },
        tasks,
      );
      await pause(settle_ms);
      await weigh(`everything removed ${cycle} times`);
      await phase(`started again, ${cycle}`, startAll, tasks);
      await pause(settle_ms);
      await weigh(`everything started ${cycle + 1} times`);
    }

    let down = 0;
    const healing = await phase(
      `${lost} nodes lost`,
      async () => {
        cluster.silence();
        const began = performance.now();
        await eventually('the loss is noticed', async () => Number((await cluster.runningTasks()) < tasks), 1);
        down = (performance.now() - began) / 1000;
        await eventually('all tasks run again', () => cluster.runningTasks(), tasks);
      },
      tasks / 10,
    );
    note(`${lost} nodes silent at once: first found down`, `${down.toFixed(1)} s`);
    note(`${lost} nodes silent at once: all their tasks run elsewhere`, `${healing.seconds.toFixed(1)} s`);
    note('memory of each manager then', memory());
    printTable(['', 's', 'leader, CPU s', 'followers', 'nodes', 'µs each: managers', 'all'], costs);
    printTable(['', ''], figures);
  } finally {
    await cluster.end();
  }
}

/** `count` in so many parts, as even as can be. */
function shares(count: number, parts: number): number[] {
  return Array.from(
    { length: parts },
    (_, at) => Math.floor(((at + 1) * count) / parts) - Math.floor((at * count) / parts),
  );
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
    await pause(Math.min(Math.max(look_ms, shareOfLooks * took_ms), lookAgain_ms_max));
  }
}

/** Now, as timestamps of processor profiles count: microseconds of the monotonic clock. */
function profileTime(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1000);
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}
