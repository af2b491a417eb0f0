import assert from 'node:assert/strict';
import { mkdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/lab/run.js';
import { RealCluster, until } from '../helpers/raft-cluster.js';

describe('raft on real disks and gRPC', () => {
  let cluster: RealCluster;
  beforeEach(async () => {
    cluster = await RealCluster.create();
  });
  afterEach(() => cluster.destroy());

  const propose = (id: number, text: string) => cluster.nodes.get(id)!.node.propose(Buffer.from(text));

  async function three(options = {}) {
    const first = await cluster.start(1, {
      ...options,
      bootstrap: [{ id: 1, nodeID: 'node-1', address: '127.0.0.1:1' }],
    });
    await first.node.addMember(first.member);
    for (const id of [2, 3]) {
      const joining = await cluster.start(id, options);
      await first.node.addMember(joining.member);
      await until(`${id} to become a voter`, () =>
        first.node.status().members.some((member) => member.id === id && !member.learner),
      );
    }
    return first;
  }

  it('commits at once when alone', async () => {
    const { node, machine } = await cluster.start(1, {
      bootstrap: [{ id: 1, nodeID: 'node-1', address: '127.0.0.1:1' }],
    });
    assert.equal((await node.propose(Buffer.from('a'))).result, 1);
    await node.readBarrier();
    assert.deepEqual(machine.items, ['a']);
  });

  it('takes proposals and serves reads on every member, and keeps them over kills and restarts of each', async () => {
    await three();
    const said: string[] = [];
    for (const id of [1, 2, 3]) {
      await propose(id, `from ${id}`);
      said.push(`from ${id}`);
      assert.deepEqual(cluster.nodes.get(id)?.machine.items, said);
    }
    for (const id of [1, 2, 3]) {
      await cluster.nodes.get(id)?.node.readBarrier();
      assert.deepEqual(cluster.nodes.get(id)?.machine.items, said);
    }
    for (const id of [1, 2, 3]) {
      await cluster.nodes.get(id)?.stop();
      const leader = await cluster.leader();
      await leader.node.propose(Buffer.from(`without ${id}`));
      said.push(`without ${id}`);
      const back = await cluster.start(id);
      await until(`${id} to see the leader`, () => back.node.status().leader !== 0);
      await back.node.readBarrier();
      assert.deepEqual(back.machine.items, said);
    }
  });

  it('brings a member up to date by a snapshot when the log is gone', async () => {
    await three({ snapshotEveryEntries: 20, trailingEntries: 5 });
    await cluster.nodes.get(3)?.stop();
    const said: string[] = [];
    for (let count = 0; count < 100; count++) {
      said.push(`${count}`);
      await propose(count % 2 === 0 ? 1 : 2, `${count}`);
    }
    const back = await cluster.start(3, { snapshotEveryEntries: 20, trailingEntries: 5 });
    await until('all of it', () => back.machine.items.length === said.length);
    assert.deepEqual(back.machine.items, said);
  });

  it('takes snapshots as often as it is told to, from then on', async () => {
    await three();
    for (let count = 0; count < 60; count++) await propose(1, `${count}`);
    await cluster.nodes.get(3)?.stop();
    for (const id of [1, 2]) cluster.nodes.get(id)?.node.setSnapshotPolicy({ everyEntries: 20, trailingEntries: 5 });
    await until('a snapshot on both', () => [1, 2].every((id) => (cluster.nodes.get(id)?.machine.snapshots ?? 0) > 0));
    const back = await cluster.start(3);
    await until('all of it', () => back.machine.items.length === 60);
  });

  it('hands leadership over, and on when the leader stops cleanly', async () => {
    const first = await three();
    await first.node.transferLeadership(2);
    assert.notEqual(first.node.status().role, 'leader');
    const second = await cluster.leader();
    assert.equal(second.member.id, 2);
    await second.node.stop({ handOver: true });
    await second.stop();
    const third = await cluster.leader();
    await third.node.propose(Buffer.from('goes on'));
  });

  it('removes members, the leader too, down to one', async () => {
    const first = await three();
    await first.node.removeMember(1);
    await until('1 to step down', () => first.node.status().role !== 'leader');
    await first.stop();
    const leader = await cluster.leader();
    const other = leader.member.id === 2 ? 3 : 2;
    await leader.node.removeMember(other);
    await cluster.nodes.get(other)?.stop();
    await leader.node.propose(Buffer.from('alone'));
    assert.deepEqual(
      leader.node.status().members.map((member) => member.id),
      [leader.member.id],
    );
  });

  it('goes on from a single survivor when it is told to', async () => {
    await three();
    await propose(2, 'kept');
    for (const id of [1, 2, 3]) await cluster.nodes.get(id)?.stop();
    const survivor = await cluster.start(2, { forceNewCluster: true });
    await survivor.node.propose(Buffer.from('new'));
    assert.deepEqual(survivor.machine.items, ['kept', 'new']);
    assert.equal(survivor.node.status().members.length, 1);
  });

  it('refuses writes with the reason while its disk is full, over a restart too, and goes on by itself', async () => {
    const folder = cluster.folderOf(1);
    await mkdir(folder, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    try {
      const options = { requestTimeout_ms: 300 };
      const bootstrap = [{ id: 1, nodeID: 'node-1', address: '127.0.0.1:1' }];
      const first = await cluster.start(1, { ...options, bootstrap });
      await writeFile(join(folder, 'filler'), Buffer.alloc(160 * 1024));
      const said: string[] = [];
      const fill = async () => {
        for (;;) {
          const text = `${said.length} ${'x'.repeat(4000)}`;
          await propose(1, text);
          said.push(text);
        }
      };
      // The first that finds no room may still be written later; those after it are refused.
      await assert.rejects(fill(), { code: 'unavailable' });
      const full = { code: 'overloaded', message: /the disk of this manager is full: ENOSPC/ };
      await assert.rejects(propose(1, 'refused'), full);
      await first.node.readBarrier();
      assert.deepEqual(first.machine.items, said);
      await first.stop();

      const again = await cluster.start(1, options);
      assert.ok(
        again.node.status().role === 'leader' ||
          (await propose(1, 'refused').catch((error) => error.code === 'overloaded')),
      );
      await unlink(join(folder, 'filler'));
      await until('room', () => again.node.status().role === 'leader');
      const { result } = await propose(1, 'after');
      assert.ok(result === said.length + 1 || result === said.length + 2);
      assert.deepEqual(again.machine.items.slice(0, said.length), said);
    } finally {
      await cluster.nodes.get(1)?.stop();
      await run('umount', [folder]);
    }
  });

  it('answers at once that there is no leader, and says so of what is lost on the way', async () => {
    await three();
    const leader = await cluster.leader();
    const [lonely] = [1, 2, 3].filter((id) => id !== leader.member.id) as [number];
    for (const id of [1, 2, 3]) if (id !== lonely) await cluster.nodes.get(id)?.stop();
    await until('the leader to be missed', () => cluster.nodes.get(lonely)?.node.status().leader === 0);
    await assert.rejects(propose(lonely, 'x'), { code: 'no-leader' });
    await assert.rejects(cluster.nodes.get(lonely)!.node.readBarrier(), { code: 'no-leader' });
  });
});
