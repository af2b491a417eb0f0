import winston from 'winston';
import { comeFirst } from '../src/daemon/priority.js';
import { AttendedClock } from '../src/model/attended-clock.js';
import { systemClock } from '../src/model/clock.js';
import { ShoalError } from '../src/model/errors.js';
import { systemRandom } from '../src/model/random.js';
import { serviceClient } from '../src/model/services.js';
import type { DataPlane } from '../src/network/data-plane.js';
import { joinCluster } from '../src/security/admission.js';
import { Credentials } from '../src/security/credentials.js';
import { NodeWorker } from '../src/worker/node-worker.js';
import { HollowEngine } from './hollow-engine.js';

// A process of its own for bench/fleet.ts: `count` hollow nodes. Of a node everything is real (its certificate, its connection, its session,
// its agent with a controller a task) but for the engine, which is simulated and answers at once, and the data plane, which does nothing.

/** What the process is asked for, as its one argument. */
export interface HollowNodes {
  count: number;
  firstNumber: number;
  token: string;
  /** host:port of the managers, joined through in turn. */
  managers: readonly string[];
}

/** Joins under way at once: most of one is waiting for an entry of Raft. */
const joinsAtOnce = 8;

const log = winston.createLogger({ silent: true });

/** One for all, as it is the process that gets to run or does not. */
const clock = new AttendedClock(systemClock);

const engines: HollowEngine[] = [];

const noPlane: DataPlane = {
  apply: async () => ({ failed: [] }),
  busyTasks: () => [],
  onReleased: () => () => {},
  close: async () => {},
};

/** Tried again while the managers are busy with others, as whoever sets up a node would. */
async function join(manager: string, token: string): ReturnType<typeof joinCluster> {
  for (;;) {
    try {
      return await joinCluster(manager, token, 'active');
    } catch (error) {
      if (!(error instanceof ShoalError) || error.code !== 'unavailable') throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

async function startNode({ firstNumber, token, managers }: HollowNodes, at: number, connected: () => void) {
  const number = firstNumber + at;
  const manager = managers[number % managers.length] as string;
  const { material, identity } = await join(manager, token);
  const credentials = new Credentials(material);
  const engine = new HollowEngine(number);
  engines.push(engine);
  const address = `10.${(number >> 16) & 255}.${(number >> 8) & 255}.${number & 255}`;
  new NodeWorker({
    node: {
      id: identity.nodeID,
      hostname: `hollow${number}`,
      address,
      clusterAddress: `${address}:2377`,
      dataPathAddress: '',
    },
    labels: { zone: `z${number % 4}` },
    genericResources: [],
    managers: managers.map((Addr) => ({ NodeID: '', Addr })),
    connect: (to) => serviceClient('Dispatcher', to, credentials.credentials({ role: 'manager' })),
    engine,
    plane: noPlane,
    kernel: undefined,
    encryption: { obstacle: 'there is no kernel' },
    throughTunnel: false,
    memoryDirectory: undefined,
    tlsInfo: () => credentials.tlsInfo,
    onTLSChange: (call) => credentials.onSwap(call),
    events: {
      onRole: () => {},
      onTrust: () => {},
      onManagers: () => {},
      onConnected: connected,
      onRejected: (reason) => console.error(`hollow${number}: ${reason}`),
    },
    clock,
    random: systemRandom,
    log,
  });
}

comeFirst(log); // as every node's daemon does
const wanted = JSON.parse(process.argv[2] ?? '') as HollowNodes;
let next = 0;
const starter = async () => {
  while (next < wanted.count) {
    const at = next++;
    await new Promise<void>((resolve, reject) => {
      startNode(wanted, at, resolve).catch(reject);
    });
  }
};
await Promise.all(Array.from({ length: joinsAtOnce }, starter));
process.send?.('joined');
process.on('message', () => process.send?.(engines.reduce((sum, { size }) => sum + size, 0)));
process.on('disconnect', () => process.exit());
