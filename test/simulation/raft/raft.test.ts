import assert from 'node:assert/strict';
import { simulate } from './scenario.js';

// `npm run simulate -- --seeds N` runs more of them.
const seeds = Number(process.env.SIMULATION_SEEDS ?? 100);
const first = Number(process.env.SIMULATION_SEED ?? 1);

describe('raft under crashes, cuts and torn disks', () => {
  for (let from = first; from < first + seeds; from += 50) {
    const to = Math.min(from + 50, first + seeds);
    it(`keeps its promises, seeds ${from} to ${to - 1}`, async () => {
      let acknowledged = 0;
      for (let seed = from; seed < to; seed++) acknowledged += (await simulate(seed)).acknowledged;
      assert.ok(acknowledged > 0, 'nothing was ever written');
    });
  }

  // Of the many that were run, those that failed once. 1003998: two voters were left of three, and one of them with a spoilt disk.
  // 1004975: a member's own snapshot swept the leader's away before that was in its place. 1042538: a log that had nothing in it did not
  // say that it goes on from the snapshot. 1035734: a snapshot that was needed again was not sent, as long as a read for the first time
  // was not over, and then never. 1065300: the last write decayed, with an unfinished segment after it, which nobody can tell.
  for (const seed of [1003998, 1004975, 1042538, 1035734, 1065300]) {
    it(`keeps its promises where it did not once, seed ${seed}`, () => simulate(seed));
  }

  it('goes the same way again from the same seed', async () => {
    assert.deepEqual(await simulate(first), await simulate(first));
  });
});
