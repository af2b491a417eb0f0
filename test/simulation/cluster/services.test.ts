import assert from 'node:assert/strict';
import { simulateSeeds } from '../crew.js';

// `npm run simulate -- services --seeds N` runs more of them, `.ci/run` 500.
const seeds = Number(process.env.SERVICES_SEEDS ?? 60);
const perTest = 250;
/** The same with clocks that are set: `npm run simulate -- clocks --seeds N`. */
const clocksSeeds = Number(process.env.CLOCKS_SEEDS ?? 20);

describe('a cluster that is asked for jobs, constraints, reservations, rollbacks and specs that fail', function () {
  this.timeout(600_000);

  for (let from = 1; from <= seeds; from += perTest) {
    const to = Math.min(from + perTest - 1, seeds);
    it(`takes no more down than it may, runs what was asked where it may, and comes to rest, seeds ${from} to ${to}`, async () => {
      const sums = await simulateSeeds('services', from, to - from + 1);
      for (const what of ['acknowledged', 'handovers', 'steps', 'drains', 'faults']) {
        assert.ok((sums.get(what) ?? 0) > 0, `there were no ${what}`);
      }
    });
  }

  it('goes by no time that a clock told before it was set, and does what is asked of it when nothing fails', async () => {
    const sums = await simulateSeeds('clocks', 1, clocksSeeds);
    assert.ok((sums.get('acknowledged') ?? 0) > 0);
  });
});
