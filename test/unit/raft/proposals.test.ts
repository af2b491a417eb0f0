import assert from 'node:assert/strict';
import { Proposals } from '../../../src/raft/driver/proposals.js';
import { Bench, entryOf } from '../../helpers/raft-core.js';

const session = 1000;
const own = (index: number, term: number, sequence: number) => ({ ...entryOf(index, term, 'mine'), session, sequence });

/** A follower's proposals, with 2 as its leader in term 2. */
function following(): { bench: Bench; proposals: Proposals } {
  const bench = new Bench(1, { voters: [1, 2, 3] });
  bench.append(2, 2, [1, 1], []);
  bench.out.length = 0;
  return { bench, proposals: new Proposals(bench.core, session) };
}

function sent(bench: Bench): [to: number, term: number, sequence: number][] {
  bench.pump();
  return bench.sent('propose').map(({ to, term, sequence }) => [to, term, sequence]);
}

describe('a proposal on its way', () => {
  it('is done when its entry is applied here, with what came of it', async () => {
    const { bench, proposals } = following();
    const outcome = proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    assert.deepEqual(sent(bench), [[2, 2, 1]]);
    proposals.applied({ ...own(2, 2, 1), session: 7 }, 'of another');
    proposals.applied(own(3, 2, 1), 'mine');
    assert.deepEqual(await outcome, { index: 3, result: 'mine' });
  });

  it('is sent again to the same leader, less and less often', () => {
    const { bench, proposals } = following();
    void proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    sent(bench);
    const times: number[] = [];
    for (let tick = 1; tick <= 40; tick++) {
      proposals.tick(0);
      for (const again of sent(bench)) {
        assert.deepEqual(again, [2, 2, 1]);
        times.push(tick);
      }
    }
    assert.deepEqual(times, [5, 15, 35]);
  });

  it('is not sent to a new leader before the old one’s term is over in the log', () => {
    const { bench, proposals } = following();
    void proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    assert.deepEqual(sent(bench), [[2, 2, 1]]);
    bench.append(3, 3, [1, 1], []);
    proposals.dispatch();
    for (let tick = 0; tick < 20; tick++) proposals.tick(0);
    assert.deepEqual(sent(bench), []);
    proposals.applied(entryOf(2, 2, 'of the old term'), undefined);
    proposals.dispatch();
    assert.deepEqual(sent(bench), []);
    proposals.applied(entryOf(3, 3), undefined);
    proposals.dispatch();
    assert.deepEqual(sent(bench), [[3, 3, 1]]);
  });

  it('that counts in one term only is not sent in the next, and its proposer hears that it was not made', async () => {
    const { bench, proposals } = following();
    const bound = proposals.add(Buffer.from('a plan'), 1000, 2);
    proposals.dispatch();
    assert.deepEqual(sent(bench), [[2, 2, 1]]);
    bench.append(3, 3, [1, 1], []);
    proposals.applied(entryOf(3, 3), undefined);
    proposals.dispatch();
    assert.deepEqual(sent(bench), []);
    await assert.rejects(bound, { code: 'out-of-sequence' });
    const late = proposals.add(Buffer.from('a plan'), 1000, 2);
    proposals.dispatch();
    await assert.rejects(late, { code: 'out-of-sequence' });
    const made = proposals.add(Buffer.from('a plan'), 1000, 3);
    proposals.dispatch();
    proposals.applied(own(4, 3, 3), 'made');
    assert.deepEqual(await made, { index: 4, result: 'made' });
  });

  it('is refused by the leader that has it, not by an earlier one', async () => {
    const { bench, proposals } = following();
    const outcome = proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    bench.append(3, 3, [1, 1], []);
    proposals.applied(entryOf(2, 3), undefined);
    proposals.dispatch();
    proposals.refused({ term: 2, session, sequence: 1, reason: 'late' });
    proposals.refused({ term: 3, session: 7, sequence: 1, reason: 'of another' });
    proposals.refused({ term: 3, session, sequence: 1, reason: 'full' });
    await assert.rejects(outcome, { code: 'overloaded', message: 'full' });
  });

  it('ends as unavailable when its fate is not known in time, as no-leader when nobody ever had it', async () => {
    const { bench, proposals } = following();
    const known = proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    bench.tick(20);
    assert.equal(bench.core.leader, 0);
    const unsent = proposals.add(Buffer.from('mine too'), 1000);
    proposals.dispatch();
    proposals.tick(1000);
    await assert.rejects(known, { code: 'unavailable' });
    await assert.rejects(unsent, { code: 'no-leader' });
  });

  it('is not known to be done or not when a snapshot takes the place of the log', async () => {
    const { proposals } = following();
    const outcome = proposals.add(Buffer.from('mine'), 1000);
    proposals.dispatch();
    proposals.restored(2);
    await assert.rejects(outcome, { code: 'unavailable' });
  });
});
