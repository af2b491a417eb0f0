import assert from 'node:assert/strict';
import fc from 'fast-check';
import { seededRandom } from '../../../src/model/random.js';
import type { Entry, HardState, SnapshotMeta } from '../../../src/raft/core/types.js';
import { snapshotName } from '../../../src/raft/log/snapshot-file.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const segmentBytes = 400;
const entry = (index: number, term: number, text = `entry ${index} of ${term}`): Entry => ({
  index,
  term,
  type: 'normal',
  data: Buffer.from(text),
  session: 0,
  sequence: 0,
});
const hard = (term: number, vote = 0, commit = 0): HardState => ({ term, vote, commit });
const membership = { voters: [{ id: 1, nodeID: 'n', address: 'h' }], learners: [] };
const meta = (index: number, term: number): SnapshotMeta => ({ index, term, membership });

async function* chunks(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function open(device: SimulatedDisk) {
  const { storage, recovered } = await RaftStorage.open(device.mount(), { segmentBytes });
  const texts = recovered.entries.map(({ index, term }) => `${index}/${term}`);
  return { storage, recovered, texts };
}

/** A device that has what `write` left, as if the process had been killed right after. */
async function written(write: (storage: RaftStorage) => Promise<void>): Promise<SimulatedDisk> {
  const device = new SimulatedDisk();
  await write((await open(device)).storage);
  return device;
}

function copyOf(device: SimulatedDisk, change: (name: string, content: Buffer) => Buffer): SimulatedDisk {
  const copy = new SimulatedDisk();
  for (const name of device.fileNames()) copy.put(name, change(name, Buffer.from(device.content(name))));
  return copy;
}

const lastSegment = (device: SimulatedDisk) => device.fileNames().findLast((name) => name.startsWith('wal-')) as string;

describe('the log on disk', () => {
  it('comes back as it was written, over many segments', async () => {
    const device = await written(async (storage) => {
      for (let index = 1; index <= 40; index++) {
        await storage.append({
          entries: [entry(index, 1)],
          ...(index % 5 === 0 ? { hardState: hard(1, 2, index) } : {}),
        });
      }
    });
    assert.ok(device.fileNames().length > 3);
    const { recovered, texts } = await open(device);
    assert.equal(texts.length, 40);
    assert.equal(Buffer.from((recovered.entries[39] as Entry).data).toString(), 'entry 40 of 1');
    assert.deepEqual(recovered.hardState, hard(1, 2, 40));
  });

  it('replaces entries from the first written again', async () => {
    const device = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1), entry(2, 1), entry(3, 1)], hardState: hard(1) });
      await storage.append({ entries: [entry(2, 2)], hardState: hard(2) });
    });
    const { texts } = await open(device);
    assert.deepEqual(texts, ['1/1', '2/2']);
  });

  it('loses at most its last write when that was cut at any byte', async () => {
    const before = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1), entry(2, 1)], hardState: hard(1, 1) });
    });
    const name = lastSegment(before);
    const from = before.content(name).length;
    const { storage } = await open(before);
    await storage.append({ entries: [entry(3, 1), entry(4, 1)], hardState: hard(1, 1, 2) });
    const whole = before.content(name).length;
    for (let size = from; size < whole; size++) {
      const torn = copyOf(before, (file, content) => (file === name ? content.subarray(0, size) : content));
      const { texts, recovered, storage: reopened } = await open(torn);
      assert.deepEqual(texts.slice(0, 2), ['1/1', '2/1'], `cut at ${size}`);
      assert.equal(recovered.hardState.vote, 1);
      await reopened.append({ entries: [entry(texts.length + 1, 2)] });
      assert.deepEqual((await open(torn)).texts, [...texts, `${texts.length + 1}/2`], `written after a cut at ${size}`);
    }
  });

  it('refuses to start when what was durable is damaged at any byte, and says where', async () => {
    const device = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1), entry(2, 1)], hardState: hard(1, 1) });
      await storage.append({ entries: [entry(3, 1)] });
      await storage.append({ entries: [entry(4, 1)] });
    });
    const name = lastSegment(device);
    const size = device.content(name).length;
    // Of the last write nothing later tells that it had been durable.
    const lastWrite = size - (20 + 'entry 4 of 1'.length + 12);
    for (let at = 0; at < lastWrite; at++) {
      const spoilt = copyOf(device, (_file, content) => {
        content[at] = (content[at] as number) ^ 0x10;
        return content;
      });
      await assert.rejects(open(spoilt), (error: Error) => {
        assert.match(error.message, new RegExp(`file ${name}, offset \\d+, at entry [1-4]: `), `byte ${at}`);
        return true;
      });
    }
  });

  it('refuses to start when an earlier segment is damaged, shortened or gone', async () => {
    const device = await written(async (storage) => {
      for (let index = 1; index <= 40; index++) await storage.append({ entries: [entry(index, 1)] });
    });
    const [, second] = device.fileNames() as [string, string];
    const damage: Record<string, (content: Buffer) => Buffer> = {
      damaged: (content) => content.fill(0, content.length - 30),
      shortened: (content) => content.subarray(0, content.length - 30),
    };
    for (const [what, change] of Object.entries(damage)) {
      const spoilt = copyOf(device, (name, content) => (name === second ? change(content) : content));
      await assert.rejects(
        open(spoilt),
        /the raft log is damaged: file wal-000000000002, offset \d+, at entry \d+/,
        what,
      );
    }
    const gap = copyOf(device, (_name, content) => content);
    await gap.mount().remove(second);
    await assert.rejects(open(gap), /the raft log is damaged/);
  });

  it('keeps everything that was acknowledged over power cuts at any time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const random = seededRandom(seed);
        const device = new SimulatedDisk();
        let acknowledged: string[] = [];
        let vote = 0;
        for (let life = 0; life < 4; life++) {
          const { storage, texts, recovered } = await open(device);
          assert.deepEqual(texts.slice(0, acknowledged.length), acknowledged);
          assert.ok(recovered.hardState.vote >= vote);
          acknowledged = texts;
          for (let count = random.below(12); count > 0; count--) {
            const index = acknowledged.length + 1;
            await storage.append({ entries: [entry(index, life + 1)], hardState: hard(life + 1, ++vote) });
            acknowledged.push(`${index}/${life + 1}`);
          }
          // Not waited for: it may be there or not, but nothing else may change for it.
          storage.append({ entries: [entry(acknowledged.length + 1, life + 1, 'x'.repeat(900))] }).catch(() => {});
          for (let turn = random.below(6); turn > 0; turn--) await Promise.resolve();
          device.crash(random);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('loses nothing when the power goes while a segment is being started', async () => {
    const device = await written(async (storage) => {
      for (let index = 1; index <= 40; index++)
        await storage.append({ entries: [entry(index, 1)], hardState: hard(1, 3, index) });
      await storage.saveSnapshot(meta(40, 1), chunks('state'));
      await storage.compact(meta(40, 1), 40);
    });
    for (const content of ['', 'some of a head']) {
      const last = Number.parseInt(lastSegment(device).slice(4), 16);
      device.put(`wal-${(last + 1).toString(16).padStart(12, '0')}`, Buffer.from(content));
      const { storage, recovered } = await open(device);
      assert.deepEqual(recovered.hardState, hard(1, 3, 40));
      // Enough for segments of its own, and to have the old ones dropped.
      const from = recovered.base.index + recovered.entries.length;
      for (let index = from + 1; index <= from + 30; index++) await storage.append({ entries: [entry(index, 1)] });
      await storage.saveSnapshot(meta(from + 30, 1), chunks('state'));
      await storage.compact(meta(from + 30, 1), from + 30);
      assert.deepEqual((await open(device)).recovered.hardState, hard(1, 3, 40));
    }
  });

  it('refuses to start when only the snapshot is left', async () => {
    const device = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1)] });
      await storage.saveSnapshot(meta(1, 1), chunks('state'));
    });
    await device.mount().remove(lastSegment(device));
    await assert.rejects(open(device), /there is a snapshot and no log/);
  });

  it('takes a full disk as it comes, and goes on when there is room', async () => {
    const device = new SimulatedDisk();
    const { storage } = await open(device);
    let index = 0;
    for (let round = 0; round < 30; round++) {
      await storage.append({ entries: [entry(++index, 1)] });
      device.faults.capacity = round * 17;
      const next = { entries: [entry(index + 1, 1), entry(index + 2, 1, 'longer'.repeat(20))] };
      await assert.rejects(storage.append(next), { code: 'ENOSPC' });
      device.faults.capacity = Number.POSITIVE_INFINITY;
      await storage.append({ entries: [entry(index + 1, 2)] });
      index++;
      const { texts } = await open(copyOf(device, (_name, content) => content));
      assert.equal(texts.length, index);
      assert.equal(texts.at(-1), `${index}/2`);
    }
  });

  it('trusts nothing after a write has failed in any other way', async () => {
    const device = new SimulatedDisk();
    const disk = device.mount();
    let broken = false;
    const { storage } = await RaftStorage.open(
      {
        ...disk,
        open: async (name, options) => {
          const file = await disk.open(name, options);
          const write = async (position: number, data: Uint8Array) => {
            await file.write(position, data);
            if (broken) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
          };
          return { ...file, write };
        },
      },
      { segmentBytes },
    );
    broken = true;
    await assert.rejects(storage.append({ entries: [entry(1, 1)] }), { code: 'EIO' });
    broken = false;
    await assert.rejects(storage.append({ entries: [entry(1, 1)] }), { code: 'EIO' });
  });
});

/** The file of a snapshot at entry 50 with these chunks. */
async function snapshotFile(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const device = await written(async (storage) => {
    await storage.saveSnapshot(meta(50, 3), parts);
  });
  return device.content(device.fileNames().find((name) => name.startsWith('snapshot-')) as string);
}

describe('snapshots on disk', () => {
  it('take the place of the log behind them', async () => {
    const device = await written(async (storage) => {
      for (let index = 1; index <= 40; index++)
        await storage.append({ entries: [entry(index, 1)], hardState: hard(1, 0, index) });
      await storage.saveSnapshot(meta(30, 1), chunks('one', 'two'));
      await storage.compact(meta(30, 1), 25);
    });
    const { storage, recovered, texts } = await open(device);
    assert.deepEqual(recovered.snapshot, meta(30, 1));
    assert.ok(recovered.base.index > 0 && recovered.base.index <= 25);
    assert.equal(texts.at(-1), '40/1');
    assert.equal(recovered.hardState.commit, 40);
    const read: string[] = [];
    for await (const chunk of storage.chunks(meta(30, 1))) read.push(Buffer.from(chunk).toString());
    assert.deepEqual(read, ['one', 'two']);
  });

  it('stay as many as are to be kept, with the log from the oldest of them on', async () => {
    const device = await written(async (storage) => {
      for (let index = 1; index <= 50; index++) {
        await storage.append({ entries: [entry(index, 1)], hardState: hard(1, 0, index) });
        if (index % 10 !== 0) continue;
        await storage.saveSnapshot(meta(index, 1), chunks(`state ${index}`));
        await storage.compact(meta(index, 1), index, 2);
      }
    });
    const snapshots = () => device.fileNames().filter((name) => name.startsWith('snapshot-'));
    assert.deepEqual(
      snapshots(),
      [30, 40, 50].map((index) => snapshotName(index, 1)),
    );
    assert.deepEqual((await open(device)).recovered.snapshot, meta(50, 1));
    assert.equal(snapshots().length, 3, 'a start takes none away');
    const disk = device.mount();
    for (const index of [40, 50]) await disk.remove(snapshotName(index, 1));
    const { recovered, texts } = await open(device);
    assert.deepEqual(recovered.snapshot, meta(30, 1));
    assert.equal(texts.at(-1), '50/1', 'from the oldest the whole log can be gone through');
  });

  it('count only when they are whole', async () => {
    const device = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1)] });
    });
    const { storage } = await open(device);
    async function* breaks(): AsyncIterable<Uint8Array> {
      yield Buffer.from('some');
      throw new Error('the store is gone');
    }
    await assert.rejects(storage.saveSnapshot(meta(1, 1), breaks()), /the store is gone/);
    assert.deepEqual((await open(device)).recovered.snapshot, undefined);
  });

  it('are refused when they are damaged at any byte', async () => {
    const device = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1)] });
      await storage.saveSnapshot(meta(1, 1), chunks('one', '', 'three'));
    });
    const name = device.fileNames().find((file) => file.startsWith('snapshot-')) as string;
    for (let at = 0; at < device.content(name).length; at++) {
      const spoilt = copyOf(device, (file, content) => {
        if (file === name) content[at] = (content[at] as number) ^ 1;
        return content;
      });
      await assert.rejects(open(spoilt), new RegExp(`the raft snapshot is damaged: file ${name}, offset \\d+`));
      const cut = copyOf(device, (file, content) => (file === name ? content.subarray(0, at) : content));
      await assert.rejects(open(cut), /the raft snapshot is damaged/);
    }
  });

  it('that come from the leader go on after a restart where they were, unless it is another one', async () => {
    const file = await snapshotFile(chunks('one', 'two', 'three'));
    const device = new SimulatedDisk();
    const { storage } = await open(device);
    const first = await storage.receiveSnapshot(50, 3, file.length);
    await storage.writeIncoming(first, file.subarray(0, 40));
    device.abandon();
    const { storage: again } = await open(device);
    const second = await again.receiveSnapshot(50, 3, file.length);
    assert.equal(second.received, 40);
    await again.writeIncoming(second, file.subarray(40));
    assert.deepEqual(await again.finishIncoming(second), meta(50, 3));
    device.abandon();
    const { storage: third } = await open(device);
    assert.equal((await third.receiveSnapshot(50, 3, file.length)).received, file.length, 'whole, and not placed yet');
    assert.equal((await third.receiveSnapshot(51, 3, file.length)).received, 0);
    assert.deepEqual(device.fileNames().filter((name) => name.includes('receiving')).length, 1);
  });

  it('are refused when one half is of another leader, who cut the same state differently', async () => {
    const [one, two] = [await snapshotFile(chunks('aaa', 'bbb')), await snapshotFile(chunks('bbb', 'aaa'))];
    assert.equal(one.length, two.length);
    const { storage } = await open(new SimulatedDisk());
    const half = one.indexOf('bbb') - 20;
    const incoming = await storage.receiveSnapshot(50, 3, one.length);
    await storage.writeIncoming(incoming, Buffer.concat([one.subarray(0, half), two.subarray(half)]));
    await assert.rejects(storage.finishIncoming(incoming), /belong to another snapshot/);
  });

  it('that come from the leader are installed whole or not at all, wherever the power goes', async () => {
    const source = await written(async (storage) => {
      await storage.append({ entries: [entry(1, 1)] });
      await storage.saveSnapshot(meta(50, 3), chunks('state'));
    });
    const file = source.content(source.fileNames().find((name) => name.startsWith('snapshot-')) as string);
    for (let seed = 0; seed < 200; seed++) {
      const random = seededRandom(seed);
      // A member that has just joined has no entries yet.
      const before = seed % 2 === 0 ? [] : [entry(1, 1), entry(2, 1)];
      const device = await written(async (storage) => {
        await storage.append({ entries: before, hardState: hard(2) });
      });
      const { storage } = await open(device);
      const install = async () => {
        const incoming = await storage.receiveSnapshot(50, 3, file.length);
        await storage.writeIncoming(incoming, file.subarray(0, 20));
        await storage.writeIncoming(incoming, file.subarray(20));
        assert.deepEqual(await storage.finishIncoming(incoming), meta(50, 3));
        await storage.placeIncoming(incoming);
        await storage.append({ reset: { index: 50, term: 3 }, entries: [entry(51, 3)], hardState: hard(3) });
      };
      const done = install().then(() => true);
      done.catch(() => {});
      for (let turn = random.below(120); turn > 0; turn--) await Promise.resolve();
      const finished = await Promise.race([done, Promise.resolve().then(() => false)]);
      device.crash(random);
      const { recovered, texts, storage: again } = await open(device);
      if (finished) assert.deepEqual(texts, ['51/3']);
      if (recovered.snapshot === undefined) assert.equal(texts.length, before.length);
      else assert.ok(texts.length === 0 || texts[0] === '51/3', texts.join());
      const next = recovered.base.index + texts.length + 1;
      await again.append({ entries: [entry(next, 4)] });
      assert.equal((await open(device)).texts.at(-1), `${next}/4`);
    }
  });
});
