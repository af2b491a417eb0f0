import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Entry, SnapshotMeta } from '../../../src/raft/core/types.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import { KeyRing, newDataKey } from '../../../src/security/key-ring.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const canary = 'canary-of-a-secret';
const entry = (index: number, text = `${canary} ${index}`): Entry => ({
  index,
  term: 1,
  type: 'normal',
  data: Buffer.from(text),
  session: 0,
  sequence: 0,
});
const meta = (index: number): SnapshotMeta => ({
  index,
  term: 1,
  membership: { voters: [{ id: 1, nodeID: 'n', address: 'h' }], learners: [] },
});
const first = newDataKey([]);
const ring = () => new KeyRing([first]);

async function* chunks(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

async function open(device: SimulatedDisk, sealer: KeyRing) {
  return RaftStorage.open(device.mount(), { segmentBytes: 700, sealer });
}

async function read(storage: RaftStorage, of: SnapshotMeta): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of storage.chunks(of)) parts.push(chunk);
  return Buffer.concat(parts);
}

const everything = (device: SimulatedDisk) =>
  Buffer.concat(device.fileNames().map((name) => Buffer.from(device.content(name))));

describe('an encrypted raft log', () => {
  it('comes back whole, over segments and snapshots, and shows nothing of what is in it', async () => {
    const device = new SimulatedDisk();
    const { storage } = await open(device, ring());
    for (let index = 1; index <= 40; index++) await storage.append({ entries: [entry(index)] });
    const state = Buffer.concat([Buffer.from(canary), randomBytes(300_000)]);
    await storage.saveSnapshot(meta(30), chunks(state.subarray(0, 100_001), state.subarray(100_001)));
    await storage.compact(meta(30), 20);
    assert.ok(device.fileNames().length > 3);
    assert.equal(everything(device).includes(canary), false);
    const again = await open(device, ring());
    assert.equal(Buffer.from(again.recovered.entries.at(-1)!.data).toString(), `${canary} 40`);
    assert.deepEqual(await read(again.storage, meta(30)), state);
  });

  it('sends snapshots to members that have other keys', async () => {
    const [from, to] = [new SimulatedDisk(), new SimulatedDisk()];
    const { storage: sender } = await open(from, ring());
    await sender.append({ entries: [entry(1)] });
    const state = randomBytes(200_000);
    await sender.saveSnapshot(meta(1), chunks(state));
    const { storage: receiver } = await open(to, new KeyRing([newDataKey([])]));
    const file = await sender.openSnapshot(meta(1));
    const total = await file.size();
    const incoming = await receiver.receiveSnapshot(1, 1, total);
    while (incoming.received < total) {
      await receiver.writeIncoming(incoming, await file.read(incoming.received, 70_000));
    }
    assert.deepEqual(await receiver.finishIncoming(incoming), meta(1));
    await receiver.placeIncoming(incoming);
    assert.deepEqual(await read(receiver, meta(1)), state);

    // One that was half here when the member was restarted goes on behind its last whole block.
    const third = new SimulatedDisk();
    const keys = new KeyRing([newDataKey([])]);
    const { storage: interrupted } = await open(third, keys);
    await interrupted.writeIncoming(await interrupted.receiveSnapshot(1, 1, total), await file.read(0, 150_000));
    third.abandon();
    const { storage: restarted } = await open(third, keys);
    const rest = await restarted.receiveSnapshot(1, 1, total);
    assert.equal(rest.received, 131_072);
    await restarted.writeIncoming(rest, await file.read(rest.received, total));
    assert.deepEqual(await restarted.finishIncoming(rest), meta(1));
  });

  it('does not open under another key, nor when a byte or the place of a record was changed', async () => {
    const device = new SimulatedDisk();
    const { storage } = await open(device, ring());
    await storage.append({ entries: [entry(1), entry(2)] });
    await assert.rejects(
      open(device, new KeyRing([newDataKey([])])),
      /raft log is damaged.*cannot be read: it was changed/,
    );
    await assert.rejects(open(device, new KeyRing([{ ...first, id: 7 }])), /under key 1, which is not here/);
    const sealed = ring().seal(Buffer.from(canary), 'here');
    assert.throws(() => ring().open(sealed, 'there'), /belongs to another place/);
    for (let at = 4; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      assert.throws(() => ring().open(changed, 'here'), /it was changed/, `byte ${at}`);
    }
  });

  it('goes on under a new key while the old records are still there, and needs the old one until they are gone', async () => {
    const device = new SimulatedDisk();
    const keys = ring();
    const { storage } = await open(device, keys);
    for (let index = 1; index <= 20; index++) await storage.append({ entries: [entry(index)] });
    const second = newDataKey(keys.keys);
    keys.setKeys([first, second]);
    for (let index = 21; index <= 40; index++) await storage.append({ entries: [entry(index)] });
    const both = new KeyRing([first, second]);
    const again = await open(device, both);
    assert.equal(again.recovered.entries.length, 40);
    assert.deepEqual(both.usedKeys, [first, second]);
    await again.storage.saveSnapshot(meta(40), chunks(Buffer.from(canary)));
    await again.storage.compact(meta(40), 40);
    const late = new KeyRing([first, second]);
    await open(device, late);
    assert.deepEqual(late.usedKeys, [second]);
  });

  it('never seals twice with the same nonce', () => {
    const keys = ring();
    const nonces = new Set(Array.from({ length: 2_000 }, () => keys.seal(Buffer.alloc(1), 'x').toString('hex', 4, 16)));
    assert.equal(nonces.size, 2_000);
  });
});
