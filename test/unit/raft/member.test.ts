import assert from 'node:assert/strict';
import type { Logger } from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { seededRandom } from '../../../src/model/random.js';
import { layOutRaft, startRaft } from '../../../src/raft/driver.js';
import type { RaftNode } from '../../../src/raft/node.js';
import type { RaftOptions } from '../../../src/raft/options.js';
import type { Transport } from '../../../src/raft/transport/transport.js';
import { ListMachine, until } from '../../helpers/raft-cluster.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const self = { id: 1, nodeID: 'node-1', address: 'host-1' };
const nowhere: Transport = { start() {}, setPeers() {}, send() {}, stop: async () => {} };

describe('a member that is alone', () => {
  let node: RaftNode | undefined;
  let device: SimulatedDisk;
  let machine: ListMachine;
  let logged: string[];
  let fatal: Error[];
  beforeEach(() => {
    device = new SimulatedDisk();
    logged = [];
    fatal = [];
  });
  afterEach(async () => {
    device.faults.capacity = Number.POSITIVE_INFINITY;
    await node?.stop();
  });

  async function start(options: Partial<RaftOptions> = {}): Promise<RaftNode> {
    machine = new ListMachine();
    const say = (text: string) => logged.push(text);
    const log = { debug: say, info: say, warn: say, error: say, log: say } as unknown as Logger;
    const parts = { self, disk: device.mount(), transport: nowhere, stateMachine: machine, log };
    const rest = { clock: systemClock, random: seededRandom(1), bootstrap: [self], tick_ms: 5, requestTimeout_ms: 200 };
    node = await startRaft({ ...parts, ...rest, onFatal: (error) => fatal.push(error), ...options });
    return node;
  }
  const propose = (text: string) => (node as RaftNode).propose(Buffer.from(text));

  it('has everything again after a restart, whether it was stopped or killed', async () => {
    await start({ snapshotEveryEntries: 7, trailingEntries: 2, segmentBytes: 500 });
    for (let count = 1; count <= 30; count++) assert.equal((await propose(`${count}`)).result, count);
    await node?.stop();
    await start();
    assert.equal(machine.items.length, 30);
    await propose('31');
    device.crash(seededRandom(1));
    await start();
    assert.deepEqual(machine.items.at(-1), '31');
  });

  it('makes one sync of what is proposed together', async () => {
    await start();
    await propose('first');
    const before = device.syncs;
    await Promise.all(Array.from({ length: 100 }, (_, count) => propose(`${count}`)));
    assert.equal(device.syncs - before, 1);
  });

  it('refuses writes while its disk is full, says why, serves reads, and goes on when there is room', async () => {
    await start();
    await propose('before');
    device.faults.capacity = 0;
    await assert.rejects(propose('stuck'), { code: 'unavailable' });
    await assert.rejects(propose('refused'), {
      code: 'overloaded',
      message: /the disk of this manager is full: ENOSPC/,
    });
    await (node as RaftNode).readBarrier();
    assert.deepEqual(machine.items, ['before']);
    device.faults.capacity = Number.POSITIVE_INFINITY;
    await until('room', () => logged.includes('the disk takes writes again'));
    await propose('after');
    assert.deepEqual(machine.items, ['before', 'stuck', 'after']);
    assert.deepEqual(fatal, []);
  });

  it('starts on a full disk, says why it serves nobody, and serves when there is room', async () => {
    await start();
    await propose('before');
    await node?.stop();
    device.faults.capacity = 0;
    await start();
    const full = { code: 'overloaded', message: /the disk of this manager is full: ENOSPC/ };
    await assert.rejects(propose('refused'), full);
    await assert.rejects((node as RaftNode).readBarrier(), full);
    device.faults.capacity = Number.POSITIVE_INFINITY;
    await until('room', () => node?.status().role === 'leader');
    await propose('after');
    assert.deepEqual(machine.items, ['before', 'after']);
    assert.deepEqual(fatal, []);
  });

  it('goes on without a snapshot that does not fit on its disk, and takes the next', async () => {
    await start({ snapshotEveryEntries: 10, trailingEntries: 0 });
    const snapshots = () => device.fileNames().filter((name) => name.startsWith('snapshot-'));
    await propose('large'.repeat(1000));
    const used = device.fileNames().reduce((bytes, name) => bytes + device.content(name).length, 0);
    device.faults.capacity = used + 2000;
    for (let count = 0; count < 8; count++) await propose('');
    await until('the failure', () => logged.includes('cannot take a snapshot'));
    assert.deepEqual(snapshots(), []);
    device.faults.capacity = Number.POSITIVE_INFINITY;
    for (let count = 0; count < 12; count++) await propose('');
    await until('a snapshot', () => snapshots().length === 1);
  });

  it('stops itself when its disk fails, and lets nobody wait', async () => {
    await start();
    device.faults.delay = async () => {
      throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    };
    await assert.rejects(propose('lost'), { code: 'unavailable' });
    assert.match(fatal[0]?.message ?? '', /EIO/);
    await assert.rejects(propose('later'), { code: 'unavailable' });
    device.faults.delay = async () => {};
  });

  it('stops itself when the state machine breaks', async () => {
    await start();
    machine.apply = () => {
      throw new Error('the store is broken');
    };
    await assert.rejects(propose('x'), { code: 'unavailable' });
    assert.match(fatal[0]?.message ?? '', /the store is broken/);
  });

  it('is not harmed by who listens to it', async () => {
    await start();
    (node as RaftNode).onStatus(() => {
      throw new Error('a listener is broken');
    });
    await (node as RaftNode).addMember({ id: 2, nodeID: 'node-2', address: 'host-2' });
    assert.ok(logged.includes('whoever listens to raft failed'));
    assert.deepEqual(fatal, []);
  });

  it('refuses what is too large, and answers what is under way when it is stopped', async () => {
    await start();
    await assert.rejects((node as RaftNode).propose(Buffer.alloc(17 * 1024 * 1024)), { code: 'invalid-argument' });
    device.faults.capacity = 0;
    const waiting = assert.rejects(propose('x'), { code: 'unavailable' });
    await until('the full disk', () => logged.includes('the disk is full'));
    device.faults.capacity = Number.POSITIVE_INFINITY;
    await node?.stop();
    await waiting;
    await assert.rejects(propose('y'), { code: 'unavailable' });
    await assert.rejects((node as RaftNode).readBarrier(), { code: 'unavailable' });
  });

  it('does not start where its log is gone, since it could vote twice in a term; a log laid out for it will do', async () => {
    const lost = { code: 'failed-precondition', message: /the raft log of this manager is gone.*join again/ };
    for (let attempt = 0; attempt < 2; attempt++) await assert.rejects(start({ returning: true }), lost);
    device.put('wal-000000000001', Buffer.alloc(100));
    await assert.rejects(start({ returning: true }), lost);
    await assert.rejects(start({ returning: true, forceNewCluster: true }), lost);
    device = new SimulatedDisk();
    await layOutRaft(device.mount());
    device.crash(seededRandom(1));
    await start({ returning: true });
  });

  it('keeps one voter, and gives no id to two nodes', async () => {
    await start();
    const raft = node as RaftNode;
    await assert.rejects(raft.removeMember(1), { code: 'failed-precondition' });
    await raft.addMember({ id: 2, nodeID: 'node-2', address: 'host-2' });
    await raft.addMember({ id: 2, nodeID: 'node-2', address: 'moved' });
    assert.deepEqual(raft.status().members.at(-1), { id: 2, nodeID: 'node-2', address: 'moved', learner: true });
    await assert.rejects(raft.addMember({ id: 2, nodeID: 'another', address: 'h' }), { code: 'failed-precondition' });
    await assert.rejects(raft.addMember({ id: 0, nodeID: 'n', address: 'h' }), { code: 'invalid-argument' });
    await raft.removeMember(2);
    await raft.removeMember(2);
    assert.equal(raft.status().members.length, 1);
  });
});
