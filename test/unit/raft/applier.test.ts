import assert from 'node:assert/strict';
import { defaultLimits } from '../../../src/raft/core/context.js';
import { RaftCore } from '../../../src/raft/core/core.js';
import type { Entry, SnapshotMeta } from '../../../src/raft/core/types.js';
import { Applier } from '../../../src/raft/driver/applier.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import type { StateMachine } from '../../../src/raft/node.js';
import { encodeMembership } from '../../../src/raft/wire/membership.js';
import { ManualClock } from '../../helpers/manual-clock.js';
import { entryOf, members } from '../../helpers/raft-core.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const membership = members(1, 2, 3);
const meta = (index: number): SnapshotMeta => ({ index, term: 1, membership });
const policy = { everyEntries: 5, everyBytes: Number.POSITIVE_INFINITY, trailingEntries: 0, keepOld: 0 };

/** The bytes of a leader's snapshot as of `index`. */
async function snapshotFile(index: number): Promise<Buffer> {
  const device = new SimulatedDisk();
  const { storage } = await RaftStorage.open(device.mount(), { segmentBytes: 400 });
  async function* state(): AsyncIterable<Uint8Array> {
    yield Buffer.from('state');
  }
  await storage.saveSnapshot(meta(index), state());
  return device.content(device.fileNames().find((name) => name.startsWith('snapshot-')) as string);
}

describe("a member's own snapshot", () => {
  it("leaves everything that a restart needs when the leader's comes meanwhile and is not in its place yet", async () => {
    const device = new SimulatedDisk();
    const { storage } = await RaftStorage.open(device.mount(), { segmentBytes: 400 });
    const first: Entry = { ...entryOf(1, 1), type: 'membership', data: encodeMembership(membership) };
    const entries = [first, ...Array.from({ length: 19 }, (_, at) => entryOf(at + 2, 1, `entry ${at + 2}`))];
    for (const entry of entries)
      await storage.append({ entries: [entry], hardState: { term: 1, vote: 0, commit: 20 } });
    const core = new RaftCore(
      { ...defaultLimits, id: 2, random: { below: () => 0 } },
      { hardState: { term: 1, vote: 0, commit: 20 }, base: { index: 0, term: 0 }, entries, snapshot: undefined },
    );
    let goOn = () => {};
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const stateMachine: StateMachine = {
      apply: () => undefined,
      async *snapshot() {
        await gate;
        yield Buffer.from('state');
      },
      restore: async () => {},
    };
    const applier = new Applier(core, storage, stateMachine, new ManualClock(), policy, () => {});
    applier.run();
    const own = applier.takeSnapshot();

    core.step({ type: 'heartbeat', from: 1, to: 2, term: 1, commit: 20, readSequence: 0 });
    const file = await snapshotFile(50);
    const incoming = await storage.receiveSnapshot(50, 1, file.length);
    await storage.writeIncoming(incoming, file);
    assert.ok(core.receiveSnapshot(1, 1, await storage.finishIncoming(incoming)));
    goOn();
    await own;

    const copy = new SimulatedDisk();
    for (const name of device.fileNames()) copy.put(name, device.content(name));
    const { recovered } = await RaftStorage.open(copy.mount(), { segmentBytes: 400 });
    assert.equal(recovered.snapshot?.index, 20, 'its own is what it would start with');
    await storage.placeIncoming(incoming);
    await storage.append({ reset: { index: 50, term: 1 }, entries: [] });
    device.abandon();
    const after = await RaftStorage.open(device.mount(), { segmentBytes: 400 });
    assert.equal(after.recovered.snapshot?.index, 50);
  });

  it('keeps the last entries behind it for members that lag, but no more of them than 16 MiB', async () => {
    const { storage } = await RaftStorage.open(new SimulatedDisk().mount(), { segmentBytes: 2 ** 30 });
    const first: Entry = { ...entryOf(1, 1), type: 'membership', data: encodeMembership(membership) };
    const kept = async (bytes: number) => {
      const others = Array.from({ length: 9 }, (_, at) => ({ ...entryOf(at + 2, 1), data: Buffer.alloc(bytes) }));
      const core = new RaftCore(
        { ...defaultLimits, id: 2, random: { below: () => 0 } },
        {
          hardState: { term: 1, vote: 0, commit: 10 },
          base: { index: 0, term: 0 },
          entries: [first, ...others],
          snapshot: undefined,
        },
      );
      const stateMachine: StateMachine = {
        apply: () => undefined,
        async *snapshot() {
          yield Buffer.from('state');
        },
        restore: async () => {},
      };
      const own = { ...policy, trailingEntries: 6 };
      const applier = new Applier(core, storage, stateMachine, new ManualClock(), own, () => {});
      applier.run();
      await applier.takeSnapshot();
      return core.lastIndex - core.firstIndex + 1;
    };
    assert.equal(await kept(100), 6);
    assert.equal(await kept(5 * 2 ** 20), 3);
  });
});
