import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ShoalError } from '../../../src/model/errors.js';
import type { Entry } from '../../../src/raft/core/types.js';
import type { OpenOptions } from '../../../src/raft/log/disk.js';
import { inspectLog } from '../../../src/raft/log/inspect.js';
import { headerBytes, recordHeader, wasDurableBeyond } from '../../../src/raft/log/record.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const segmentBytes = 500;
const membership = { voters: [{ id: 1, nodeID: 'n', address: 'h' }], learners: [] };

async function* chunks(...texts: string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

/** A log of a few segments with a snapshot, as a member leaves it. */
async function sound(): Promise<SimulatedDisk> {
  const device = new SimulatedDisk();
  const { storage } = await RaftStorage.open(device.mount(), { segmentBytes });
  for (let index = 1; index <= 20; index++) {
    const entry: Entry = { index, term: 1, type: 'normal', data: Buffer.from(`${index}`), session: 7, sequence: index };
    await storage.append({ entries: [entry], hardState: { term: 1, vote: 1, commit: index - 1 } });
  }
  await storage.saveSnapshot({ index: 12, term: 1, membership }, chunks('a', 'b', 'c'));
  await storage.compact({ index: 12, term: 1, membership }, 8);
  await storage.close();
  return device;
}

function copyOf(device: SimulatedDisk): SimulatedDisk {
  const copy = new SimulatedDisk();
  for (const name of device.fileNames()) copy.put(name, Buffer.from(device.content(name)));
  return copy;
}

/** Whether a member starts from it; what it says when it does not. Anything but a ShoalError, or an endless run, is a failure. */
async function refusal(device: SimulatedDisk): Promise<string | undefined> {
  try {
    const { storage } = await RaftStorage.open(device.mount(), { segmentBytes, mustExist: true });
    await storage.close();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ShoalError, `${(error as Error).stack}`);
    assert.equal(error.code, 'failed-precondition');
    return error.message;
  }
}

/** What is said of the files offline is what a start comes to, and nothing was changed to find it out. */
async function inspectedAsStarted(device: SimulatedDisk): Promise<string | undefined> {
  const before = device.fileNames().map((name) => [name, device.content(name).toString('hex')]);
  const { damage } = await inspectLog(device.mount());
  assert.deepEqual(
    device.fileNames().map((name) => [name, device.content(name).toString('hex')]),
    before,
  );
  const said = await refusal(device);
  assert.equal(damage, said);
  return said;
}

/** A file that holds these payloads in records that are valid where they stand. */
function forged(fileNumber: number, records: { type: number; payload: Uint8Array; synced: number; batch: number }[]) {
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const { type, payload, synced, batch } of records) {
    parts.push(recordHeader({ fileNumber, synced, batch }, offset, type, payload), payload);
    offset += headerBytes + payload.length;
  }
  return Buffer.concat(parts);
}

const anyRecord = fc.record({
  type: fc.integer({ min: 0, max: 9 }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    // Fields as protobuf has them, so that much of it is read.
    fc
      .array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 127 })), { maxLength: 6 })
      .map((fields) => Uint8Array.from(fields.flatMap(([field, value]) => [field * 8, value]))),
  ),
  synced: fc.integer({ min: 0, max: 400 }),
  batch: fc.integer({ min: 0, max: 4 }),
});

describe('files in the place of a log', () => {
  let device: SimulatedDisk;
  before(async () => {
    device = await sound();
  });

  it('are taken when they are what a member wrote', async () => {
    assert.equal(await inspectedAsStarted(copyOf(device)), undefined);
    const { files, base, last, membership: members } = await inspectLog(device.mount());
    assert.deepEqual(
      files.map(({ state }) => state),
      files.map(() => 'ok'),
    );
    assert.deepEqual([last.index, members], [20, membership]);
    assert.ok(base.index <= 12 && files.some(({ lastIndex }) => lastIndex === 20));
  });

  it('are taken or refused, and told of the same way offline, when bytes of them are changed', async () => {
    const names = device.fileNames();
    const change = fc.tuple(fc.nat(names.length - 1), fc.nat(5000), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const copy = copyOf(device);
        for (const [file, at, mask] of changes) {
          const content = copy.content(names[file] as string);
          content[at % content.length] = (content[at % content.length] as number) ^ mask;
        }
        await inspectedAsStarted(copy);
      }),
      { numRuns: 400 },
    );
  });

  it('are taken or refused when they are cut, swapped, gone or made up', async () => {
    const names = device.fileNames();
    const act = fc.oneof(
      fc.record({ how: fc.constant('cut'), file: fc.nat(names.length - 1), at: fc.nat(700) }),
      fc.record({ how: fc.constant('swap'), file: fc.nat(names.length - 1), at: fc.nat(names.length - 1) }),
      fc.record({ how: fc.constant('random'), file: fc.nat(names.length - 1), at: fc.nat(700) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 3 }), fc.uint8Array(), async (acts, noise) => {
        const copy = copyOf(device);
        for (const { how, file, at } of acts) {
          const name = names[file] as string;
          const content = copy.content(name);
          if (how === 'cut') copy.put(name, content.subarray(0, at));
          else if (how === 'swap') copy.put(name, copy.content(names[at] as string));
          else copy.put(name, noise);
        }
        await inspectedAsStarted(copy);
      }),
      { numRuns: 300 },
    );
  });

  it('are taken or refused when every checksum is right and the content is not', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { maxLength: 8 }),
        fc.array(anyRecord, { maxLength: 5 }),
        async (one, two) => {
          const copy = new SimulatedDisk();
          copy.put(
            'wal-000000000001',
            forged(1, [{ type: 1, payload: Uint8Array.of(8, 1), synced: 0, batch: 0 }, ...one]),
          );
          copy.put('wal-000000000002', forged(2, two));
          copy.put('snapshot-00000000000003-00000000000001', forged(3, two));
          await inspectedAsStarted(copy);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('cannot keep a start busy for ever with records that nearly are', () => {
    const bytes = Buffer.alloc(2_000_000);
    for (let at = 0; at + headerBytes < bytes.length; at += headerBytes) {
      bytes.writeUInt32LE(bytes.length - at - headerBytes, at + 4);
      bytes.write('Sh1', at + 17, 'latin1');
    }
    assert.equal(wasDurableBeyond(bytes, 0, 1), true);
  });

  it('are refused when they are larger than any of ours', async () => {
    const disk = device.mount();
    const huge = {
      ...disk,
      open: async (name: string, options?: OpenOptions) => {
        const file = await disk.open(name, options);
        return name.startsWith('wal-') ? { ...file, size: async () => 2 ** 40 } : file;
      },
    };
    const { damage } = await inspectLog(huge);
    assert.match(damage ?? '', /it is 1099511627776 bytes long/);
  });
});
