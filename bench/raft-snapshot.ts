import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { createLogger, transports } from 'winston';
import { systemClock } from '../src/model/clock.js';
import { encode } from '../src/model/codec.js';
import { newID } from '../src/model/ids.js';
import { systemRandom } from '../src/model/random.js';
import { startRaft } from '../src/raft/driver.js';
import { nodeDisk } from '../src/raft/log/node-disk.js';
import { parseSnapshotName } from '../src/raft/log/snapshot-file.js';
import type { Transport } from '../src/raft/transport/transport.js';
import { Store } from '../src/store/store.js';
import { printTable } from './figures.js';

const perTransaction = 500;
const nowhere: Transport = { start() {}, setPeers() {}, send() {}, stop: async () => {} };

/** A task as the store has it while it runs. */
function task(serviceID: string, slot: number) {
  const ID = newID(systemRandom);
  return {
    ID,
    ServiceID: serviceID,
    NodeID: newID(systemRandom),
    Slot: slot,
    DesiredState: 'running',
    Spec: {
      ContainerSpec: { Image: 'registry.example.org/team/web:1.2.3', Env: ['MODE=production', `SLOT=${slot}`] },
      RestartPolicy: { Condition: 'any', Delay: 5_000_000_000 },
    },
    Status: {
      Timestamp: '2026-01-01T00:00:00.000000000Z',
      State: 'running',
      Message: 'started',
      ContainerStatus: { ContainerID: ID.repeat(2), PID: 4711 },
    },
  };
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/**
 * What a snapshot of a large store costs the leader that takes it: how late its event loop is meanwhile, on a real disk, and the memory.
 * The same loop without a snapshot is what the machine itself adds.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { tasks: { type: 'string', default: '100000' } } });
  const tasks = Number(values.tasks);
  const transactions = Math.ceil(tasks / perTransaction);
  const directory = await mkdtemp(join(tmpdir(), 'shoal-bench-snapshot-'));
  const store = new Store();
  const self = { id: 1, nodeID: 'node-1', address: '127.0.0.1:1' };
  const slack = 40; // entries between the last task and the snapshot, for the measurement without one
  const raft = await startRaft({
    self,
    disk: await nodeDisk(directory),
    transport: nowhere,
    stateMachine: store,
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'warn', transports: [new transports.Console()] }),
    bootstrap: [self],
    defer: setImmediate,
    snapshotEveryEntries: transactions + slack,
    snapshotEveryBytes: Number.POSITIVE_INFINITY,
  });
  const propose = (operations: object[]) =>
    raft.propose(encode('Transaction', { Origin: 'bench', Time: '2026-01-01T00:00:00Z', Operations: operations }));
  try {
    const serviceID = newID(systemRandom);
    for (let at = 0; at < tasks; at += perTransaction) {
      await propose(
        Array.from({ length: Math.min(perTransaction, tasks - at) }, (_, slot) => {
          const made = task(serviceID, at + slot + 1);
          return { Action: 'create', ID: made.ID, Task: made };
        }),
      );
    }
    const rows: string[][] = [];
    const measured = async (what: string, until: () => Promise<boolean>) => {
      const delay = monitorEventLoopDelay({ resolution: 1 });
      let peak = process.memoryUsage().rss;
      delay.enable();
      const start_ms = performance.now();
      while (!(await until())) {
        peak = Math.max(peak, process.memoryUsage().rss);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      delay.disable();
      const late = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1);
      const took = `${Math.round(performance.now() - start_ms)} ms`;
      rows.push([what, took, late(delay.percentile(99)), late(delay.max), megabytes(peak)]);
    };
    const end_ms = performance.now() + 1000;
    await measured('no snapshot', async () => performance.now() > end_ms);
    let size = 0;
    for (let count = 0; count < slack - 3; count++) await propose([]);
    await measured('snapshot', async () => {
      if (raft.status().appliedIndex < transactions + slack) await propose([]);
      const name = (await readdir(directory)).find((each) => parseSnapshotName(each) !== undefined);
      if (name === undefined) return false;
      size = (await stat(join(directory, name))).size;
      return true;
    });
    printTable([`${tasks} tasks`, 'took', 'loop late p99 ms', 'most ms', 'memory'], rows);
    console.log(`the snapshot is ${megabytes(size)}`);
  } finally {
    await raft.stop();
    await rm(directory, { recursive: true });
  }
}
