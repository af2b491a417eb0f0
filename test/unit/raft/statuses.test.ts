import assert from 'node:assert/strict';
import type { RaftCore } from '../../../src/raft/core/core.js';
import { Statuses } from '../../../src/raft/driver/statuses.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the silence of other members', () => {
  it('begins for the former leader with its last word, for all others when this member begins to lead', async () => {
    const clock = new ManualClock();
    const voters = [1, 2, 3].map((id) => ({ id, nodeID: `n${id}`, address: '' }));
    const core = { id: 1, term: 1, role: 'follower', leader: 2, committed: 0, membership: { voters, learners: [] } };
    const statuses = new Statuses({ ...core, leader: 0 } as unknown as RaftCore, clock);
    const become = (change: Partial<typeof core>) => {
      Object.assign((statuses as unknown as { core: object }).core, change);
      statuses.tell();
    };
    become({ leader: 2 });
    statuses.heard(3);
    await clock.advance(5_000);
    statuses.heard(2);
    await clock.advance(1_500);
    become({ role: 'candidate', leader: 0, term: 2 });
    await clock.advance(500);
    become({ role: 'leader', leader: 1 });
    await clock.advance(1_000);
    assert.deepEqual(
      [...statuses.now(0).silence_ms],
      [
        [2, 3_000],
        [3, 1_000],
      ],
    );
    statuses.heard(3);
    assert.equal(statuses.now(0).silence_ms.get(3), 0);
  });
});
