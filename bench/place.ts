import { parseArgs } from 'node:util';
import { reconcile } from '../src/manager/reconcile/reconcile.js';
import { complete } from '../src/model/codec.js';
import { seededRandom } from '../src/model/random.js';
import type { Node, OperationInit, ServiceInit, TaskSpecInit } from '../src/model/types.js';
import { Fleet } from '../src/scheduler/fleet.js';
import type { Group } from '../src/scheduler/group.js';
import { place } from '../src/scheduler/place.js';
import { encodeTransaction } from '../src/store/entry.js';
import { Store } from '../src/store/store.js';
import { median, printTable } from './figures.js';

/** How the tasks come. */
interface Shape {
  name: string;
  services: (tasks: number) => number;
  spec: TaskSpecInit;
}

const every3rd: TaskSpecInit = { Placement: { Constraints: ['node.labels.third==yes'] } };
const demanding: TaskSpecInit = {
  Resources: { Reservations: { NanoCPUs: 1e7, MemoryBytes: 2 ** 20 } },
  Placement: {
    Constraints: ['node.labels.third!=no', 'node.platform.os==linux'],
    Preferences: [
      { Spread: { SpreadDescriptor: 'node.labels.zone' } },
      { Spread: { SpreadDescriptor: 'node.labels.rack' } },
    ],
  },
};

const picky: TaskSpecInit = { ...demanding, Placement: { ...demanding.Placement, ...every3rd.Placement } };

const shapes: readonly Shape[] = [
  { name: 'one service, constraints, resources, preferences', services: () => 1, spec: demanding },
  { name: 'a service a task, all that and every third node', services: (tasks) => tasks, spec: picky },
  { name: 'a service a task, every third node', services: (tasks) => tasks, spec: every3rd },
  { name: 'a service a task, no constraints', services: (tasks) => tasks, spec: {} },
];

function nodesOf(count: number): Node[] {
  return Array.from({ length: count }, (_, at) =>
    complete('Node', {
      ID: `node${at}`,
      Spec: {
        Role: 'worker',
        Availability: 'active',
        Labels: { zone: `z${at % 4}`, rack: `r${at % 40}`, ...(at % 3 === 0 ? { third: 'yes' } : {}) },
      },
      Description: {
        Hostname: `node${at}`,
        Platform: { OS: 'linux', Architecture: 'x86_64' },
        Resources: { NanoCPUs: 64e9, MemoryBytes: 256 * 2 ** 30 },
        Engine: { EngineVersion: '28.0.0' },
      },
      Status: { State: 'ready', Addr: '10.0.0.1' },
    }),
  );
}

/** Seconds that placing takes: all the tasks in one wave. */
function placing(shape: Shape, tasks: number, nodes: readonly Node[]): number {
  const services = shape.services(tasks);
  const each = tasks / services;
  const groups: Group[] = Array.from({ length: services }, (_, service) => ({
    serviceID: `s${service}`,
    spec: complete('TaskSpec', { ContainerSpec: { Image: 'web' }, ...shape.spec }), // one each, as from the store
    running: new Map(),
    leaving: new Map(),
    failures: new Map(),
    wanted: Array.from({ length: each }, (_, at) => ({ id: `s${service}.${at}` })),
  }));
  const began = performance.now();
  const { placed } = place(new Fleet(nodes), groups);
  const seconds = (performance.now() - began) / 1000;
  if (placed.size !== tasks) throw new Error(`${tasks - placed.size} of ${tasks} tasks were not placed`);
  return seconds;
}

/** Seconds that the leader takes for the same: plans, entries of Raft as bytes, and the store that applies them. */
function planning(shape: Shape, tasks: number, nodes: readonly Node[]): number {
  const store = new Store();
  const commit = (Operations: OperationInit[]) => {
    const verdict = store.apply(store.index + 1, encodeTransaction({ Operations, Time: '2026-01-01T00:00:00Z' }));
    if (!verdict.ok) throw new Error(verdict.message);
  };
  commit(nodes.map((node) => ({ Action: 'create', Node: node })));
  const services = shape.services(tasks);
  const service = (at: number): ServiceInit => ({
    ID: `s${at}`,
    Spec: {
      Name: `s${at}`,
      Mode: { Replicated: { Replicas: tasks / services } },
      TaskTemplate: { ContainerSpec: { Image: 'web' }, ...shape.spec },
    },
  });
  const all = Array.from({ length: services }, (_, at): OperationInit => ({ Action: 'create', Service: service(at) }));
  for (let from = 0; from < services; from += 1000) commit(all.slice(from, from + 1000));
  const random = seededRandom(1);
  const began = performance.now();
  let due: ReadonlySet<string> | undefined;
  do {
    const plan = reconcile(store, 0, random, due);
    for (const transaction of plan.transactions) commit(transaction.Operations ?? []);
    due = plan.left;
  } while (due.size > 0);
  const seconds = (performance.now() - began) / 1000;
  const placed = [...store.list('Task')].filter(({ NodeID }) => NodeID !== '').length;
  if (placed !== tasks) throw new Error(`${tasks - placed} of ${tasks} tasks were not placed`);
  return seconds;
}

/** `npm run bench place [-- --tasks 100000 --nodes 5000 --rounds 3 --plan]` */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      tasks: { type: 'string', default: '100000' },
      nodes: { type: 'string', default: '5000' },
      rounds: { type: 'string', default: '3' },
      plan: { type: 'boolean', default: false },
    },
  });
  const [tasks, nodes, rounds] = [Number(values.tasks), Number(values.nodes), Number(values.rounds)];
  const sizes = [
    [tasks, nodes],
    [tasks / 4, nodes], // what a task costs
    [tasks, nodes / 5], // what a node costs
  ] as const;
  const rows: string[][] = [];
  for (const shape of shapes) {
    for (const [ofTasks, ofNodes] of sizes) {
      const fleet = nodesOf(ofNodes);
      const times = (measure: typeof placing) =>
        median(Array.from({ length: rounds }, () => measure(shape, ofTasks, fleet))).toFixed(2);
      const planned = values.plan ? [times(planning)] : [];
      rows.push([shape.name, String(ofTasks), String(ofNodes), times(placing), ...planned]);
    }
  }
  printTable(['shape', 'tasks', 'nodes', 'place, s', ...(values.plan ? ['plan and apply, s'] : [])], rows);
}
