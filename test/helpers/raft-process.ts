// One member of a Raft group as a process of its own, told what to do over its IPC channel: `ID DIRECTORY ADDRESS,ADDRESS…`.
import { systemClock } from '../../src/model/clock.js';
import { ShoalError } from '../../src/model/errors.js';
import { systemRandom } from '../../src/model/random.js';
import { startRaft } from '../../src/raft/driver.js';
import { nodeDisk } from '../../src/raft/log/node-disk.js';
import { ListMachine, listenForRaft, quietLog } from './raft-cluster.js';

/** `append` a text, or read: all items, or only how many there are. */
export interface Order {
  number: number;
  append?: string;
  items?: boolean;
}
export interface Outcome {
  number: number;
  /** Of an append its place in the list, of a read how many items there are. */
  count?: number;
  items?: string[];
  /** Code of the ShoalError that it came to. */
  error?: string;
}

const [id = '', directory = '', addresses = ''] = process.argv.slice(2);
const members = addresses.split(',').map((address, place) => ({ id: place + 1, nodeID: `node-${place + 1}`, address }));
const self = members[Number(id) - 1] as (typeof members)[number];
const { transport } = await listenForRaft(self.address);
const machine = new ListMachine();
const node = await startRaft({
  self,
  disk: await nodeDisk(directory),
  transport,
  stateMachine: machine,
  clock: systemClock,
  random: systemRandom,
  log: quietLog,
  bootstrap: members,
  defer: setImmediate,
  tick_ms: 50,
  requestTimeout_ms: 3000,
  // Small, so that snapshots travel and segments come and go.
  snapshotEveryEntries: 200,
  trailingEntries: 50,
  segmentBytes: 16 * 1024,
  onFatal: (error) => {
    process.send?.({ fatal: error.stack });
  },
});

async function follow(order: Order): Promise<Partial<Outcome>> {
  if (order.append !== undefined) {
    const { result } = await node.propose(Buffer.from(order.append));
    return { count: result as number };
  }
  await node.readBarrier();
  return order.items === true ? { items: machine.items } : { count: machine.items.length };
}

process.on('message', (order: Order) => {
  follow(order).then(
    (outcome) => process.send?.({ number: order.number, ...outcome }),
    (error) => {
      const code = error instanceof ShoalError ? error.code : String(error);
      process.send?.({ number: order.number, error: code });
    },
  );
});
process.on('disconnect', () => process.exit(0));
node.onStatus(({ role }) => process.send?.({ leads: role === 'leader' }));
process.send?.({ leads: node.status().role === 'leader' });
