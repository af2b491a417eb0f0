import assert from 'node:assert/strict';
import { defaultLimits } from '../../../src/raft/core/context.js';
import { RaftCore } from '../../../src/raft/core/core.js';
import type { MessageOf, SnapshotMeta } from '../../../src/raft/core/types.js';
import { SnapshotSender } from '../../../src/raft/driver/snapshot-sender.js';
import { RaftStorage } from '../../../src/raft/log/storage.js';
import { quietLog } from '../../helpers/raft-cluster.js';
import { members } from '../../helpers/raft-core.js';
import { SimulatedDisk } from '../../helpers/sim-disk.js';

const meta: SnapshotMeta = { index: 20, term: 1, membership: members(1, 2) };

async function* state(): AsyncIterable<Uint8Array> {
  yield Buffer.from('state');
}

describe('a snapshot on its way to a member', () => {
  it('is sent anew when it is asked for again, though a read for the first time is not over yet', async () => {
    const device = new SimulatedDisk();
    const { storage } = await RaftStorage.open(device.mount(), { segmentBytes: 400 });
    await storage.saveSnapshot(meta, state());
    const core = new RaftCore(
      { ...defaultLimits, id: 1, random: { below: () => 0 } },
      {
        hardState: { term: 1, vote: 0, commit: 20 },
        base: { index: 20, term: 1 },
        entries: [],
        snapshot: meta,
      },
    );
    const sent: MessageOf<'snapshot-chunk'>[] = [];
    let told = () => {};
    const sender = new SnapshotSender(
      core,
      storage,
      (message) => {
        sent.push(message as MessageOf<'snapshot-chunk'>);
        told();
      },
      quietLog,
      1024,
    );
    const nextChunk = () =>
      new Promise<void>((resolve) => {
        told = resolve;
      });
    let operations = 0;
    let goOn = () => {};
    const stalled = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    // The snapshot is opened and measured; then the disk stalls, for the first that reads only.
    device.faults.delay = async () => {
      operations++;
      if (operations === 3) await stalled;
    };
    const first = sender.start(2);
    while (operations < 3) await Promise.resolve();
    const repeated = nextChunk();
    for (let tick = 0; tick < 5; tick++) sender.tick();
    await repeated;
    const { index, logTerm, total } = sent[0] as MessageOf<'snapshot-chunk'>;
    const progress = { type: 'snapshot-progress', from: 2, to: 1, term: 1, index, logTerm, offset: total } as const;
    await sender.progress(progress);

    const again = nextChunk();
    await sender.start(2);
    await again;
    assert.deepEqual(
      sent.map(({ to, offset }) => [to, offset]),
      [
        [2, 0],
        [2, 0],
      ],
    );
    goOn();
    await first;
    assert.equal(sent.length, 2, 'the read that was overtaken is for nobody');
  });
});
