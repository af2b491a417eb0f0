import assert from 'node:assert/strict';
import { simulateSeeds } from '../crew.js';
import { simulate } from './scenario.js';

// `npm run simulate -- cluster --seeds N` runs more of them.
const seeds = Number(process.env.CLUSTER_SEEDS ?? 50);
const perTest = 50;
/** Each has found a bug once. */
const notable = [13, 21, 151, 170, 188];

describe('a cluster under crashes, cuts, and engines that fail', function () {
  this.timeout(600_000);

  for (let from = 1; from <= seeds; from += perTest) {
    const to = Math.min(from + perTest - 1, seeds);
    it(`keeps its promises and becomes what is declared, seeds ${from} to ${to}`, async () => {
      const sums = await simulateSeeds('cluster', from, to - from + 1);
      assert.ok((sums.get('acknowledged') ?? 0) > 0, 'nothing was ever declared');
    });
  }

  it('keeps them where it once did not', async () => {
    for (const seed of notable) await simulate(seed);
  });

  it('goes the same way again from the same seed', async () => {
    assert.deepEqual(await simulate(3), await simulate(3));
  });
});
