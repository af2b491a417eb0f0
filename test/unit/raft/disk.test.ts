import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../../src/model/random.js';
import type { Disk } from '../../../src/raft/log/disk.js';
import { nodeDisk } from '../../../src/raft/log/node-disk.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

/** What every Disk does, the real one and the simulated one. */
function contract(name: string, make: () => Promise<{ disk: Disk; close(): Promise<void> }>): void {
  describe(name, () => {
    let disk: Disk;
    let close: () => Promise<void>;
    beforeEach(async () => {
      ({ disk, close } = await make());
    });
    afterEach(() => close());

    it('is empty at first', async () => {
      assert.deepEqual(await disk.list(), []);
    });

    it('reads what was written, as far as it goes', async () => {
      const file = await disk.open('a', { create: true });
      await file.write(0, Buffer.from('hello'));
      await file.write(5, Buffer.from(' world'));
      await file.write(0, Buffer.from('J'));
      assert.equal((await file.read(0, 100)).toString(), 'Jello world');
      assert.equal((await file.read(6, 3)).toString(), 'wor');
      assert.equal((await file.read(50, 3)).length, 0);
      assert.equal(await file.size(), 11);
      await file.sync();
      await file.close();
      const again = await disk.open('a');
      assert.equal((await again.read(0, 100)).toString(), 'Jello world');
      await again.close();
    });

    it('reads a gap as zeros, and forgets what is cut off', async () => {
      const file = await disk.open('a', { create: true });
      await file.write(3, Buffer.from('x'));
      assert.deepEqual([...(await file.read(0, 10))], [0, 0, 0, 120]);
      await file.truncate(1);
      await file.write(2, Buffer.from('y'));
      assert.deepEqual([...(await file.read(0, 10))], [0, 0, 121]);
      await file.close();
    });

    it('does not keep what the caller changes after a write', async () => {
      const file = await disk.open('a', { create: true });
      const data = Buffer.from('before');
      await file.write(0, data);
      data.fill('x');
      assert.equal((await file.read(0, 10)).toString(), 'before');
      await file.close();
    });

    it('writes durably where it is asked to', async () => {
      const file = await disk.open('a', { create: true, durable: true });
      await file.write(0, Buffer.from('hello'));
      await file.close();
      const again = await disk.open('a', { durable: true });
      await again.write(5, Buffer.from('!'));
      assert.equal((await again.read(0, 10)).toString(), 'hello!');
      await again.close();
    });

    it('tells names that are there from names that are not', async () => {
      await (await disk.open('a', { create: true })).close();
      await assert.rejects(disk.open('a', { create: true }), { code: 'EEXIST' });
      await assert.rejects(disk.open('b'), { code: 'ENOENT' });
      await assert.rejects(disk.remove('b'), { code: 'ENOENT' });
      await assert.rejects(disk.rename('b', 'c'), { code: 'ENOENT' });
    });

    it('renames over what was there, and keeps open files readable', async () => {
      const old = await disk.open('a', { create: true });
      await old.write(0, Buffer.from('old'));
      const fresh = await disk.open('b', { create: true });
      await fresh.write(0, Buffer.from('new'));
      await disk.rename('b', 'a');
      await disk.syncDirectory();
      assert.deepEqual(await disk.list(), ['a']);
      assert.equal((await old.read(0, 10)).toString(), 'old');
      const found = await disk.open('a');
      assert.equal((await found.read(0, 10)).toString(), 'new');
      await disk.remove('a');
      assert.deepEqual(await disk.list(), []);
      assert.equal((await found.read(0, 10)).toString(), 'new');
      for (const file of [old, fresh, found]) await file.close();
    });
  });
}

contract('a directory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-disk-'));
  return { disk: await nodeDisk(join(folder, 'raft')), close: () => rm(folder, { recursive: true }) };
});
contract('a simulated disk', async () => ({ disk: new SimulatedDisk().mount(), close: async () => {} }));

describe('a power cut on a simulated disk', () => {
  it('keeps what was synced and an arbitrary part of the rest', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const device = new SimulatedDisk();
      const disk = device.mount();
      const file = await disk.open('a', { create: true });
      await file.write(0, Buffer.from('kept'));
      await file.sync();
      await disk.syncDirectory();
      const log = await disk.open('a', { durable: true });
      await log.write(2, Buffer.from('pt'));
      await file.write(4, Buffer.from('lost'));
      await disk.open('b', { create: true });
      device.crash(seededRandom(seed));
      const content = device.content('a').toString();
      assert.equal(content.slice(0, 4), 'kept');
      seen.add(`${content} ${device.fileNames()}`);
    }
    assert.ok(seen.has('kept a') && seen.has('keptlost a,b') && seen.size > 4, [...seen].join('; '));
  });
});
