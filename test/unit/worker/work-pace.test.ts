import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AttendedClock } from '../../../src/model/attended-clock.js';
import { Limiter } from '../../../src/worker/limiter.js';
import { leastAtOnce, nextPace, WorkPace } from '../../../src/worker/work-pace.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the pace of changes to the engine', () => {
  it('stays within its bounds, and comes back to full once the process runs freely', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 256 }),
        fc.array(fc.double({ min: 0, max: 1.1, noNaN: true })),
        (full, life) => {
          let pace = full;
          for (const share of life) {
            pace = nextPace(pace, full, share);
            assert.ok(pace >= Math.min(leastAtOnce, full) && pace <= full, `${pace} of ${full}`);
          }
          for (let at = 0; at < 9; at++) pace = nextPace(pace, full, 1);
          assert.equal(pace, full);
        },
      ),
    );
  });

  it('falls to the least on a machine that starves the process, and no job is forgotten or begun beyond it', async () => {
    const real = new ManualClock();
    const limiter = new Limiter(16);
    const pace = new WorkPace(limiter, 16, new AttendedClock(real));
    for (let at = 0; at < 10; at++) {
      real.skip(3_000);
      await real.advance(100);
    }
    let running = 0;
    let most = 0;
    const job = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => real.after(100, () => resolve(undefined)));
      running--;
    };
    let done = 0;
    const jobs = Array.from({ length: 40 }, () => limiter.run(job).then(() => done++));
    await real.advance(200);
    assert.equal(most, leastAtOnce);
    await real.advance(20_000);
    assert.equal(done, 40);
    assert.ok(most <= 16, `${most} at once`);
    await Promise.all(jobs);
    pace.stop();
    assert.equal(real.waiting, 1, 'only the attended clock still looks');
  });

  it('is not disturbed by a wall clock that is set back or forward', async () => {
    const real = new ManualClock();
    let offset_ms = 0;
    const attended = new AttendedClock(real);
    const limiter = new Limiter(16);
    const clock = {
      now: () => real.now() + offset_ms,
      monotonic: () => attended.monotonic(),
      after: real.after.bind(real),
    };
    const pace = new WorkPace(limiter, 16, clock);
    for (const step of [-3_600_000, 7_200_000]) {
      offset_ms += step;
      await real.advance(3_000);
    }
    let running = 0;
    for (let at = 0; at < 20; at++) void limiter.run(() => new Promise(() => running++));
    assert.equal(running, 16);
    pace.stop();
  });
});
