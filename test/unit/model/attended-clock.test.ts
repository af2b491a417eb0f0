import assert from 'node:assert/strict';
import fc from 'fast-check';
import { AttendedClock, patiently } from '../../../src/model/attended-clock.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the time that a process has attended', () => {
  it('is the real time while the process runs, used or not', async () => {
    const real = new ManualClock();
    const clock = new AttendedClock(real);
    await real.advance(60_000);
    assert.equal(clock.monotonic(), 60_000);
    assert.equal(clock.now(), real.now());
  });

  it('hardly grows over a stall, never runs back, and never outruns the real time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ stall_ms: fc.nat(20_000), run_ms: fc.nat(2_000) }), { maxLength: 8 }),
        async (life) => {
          const real = new ManualClock();
          const clock = new AttendedClock(real);
          let ran_ms = 0;
          let before_ms = 0;
          for (const { stall_ms, run_ms } of life) {
            real.skip(stall_ms);
            await real.advance(run_ms);
            ran_ms += run_ms;
            const now_ms = clock.monotonic();
            assert.ok(now_ms >= before_ms && now_ms <= real.monotonic());
            before_ms = now_ms;
          }
          assert.ok(before_ms >= ran_ms, `${before_ms} of ${ran_ms}`);
          assert.ok(before_ms <= ran_ms + 250 * life.length, `${before_ms} of ${ran_ms}`);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is what a patient deadline waits for, not the first timer after a stall', async () => {
    const real = new ManualClock();
    const clock = new AttendedClock(real);
    let late = 0;
    patiently(clock, 3_000, () => late++);
    await real.advance(1_000);
    real.skip(60_000);
    await real.advance(1_700);
    assert.equal(late, 0);
    await real.advance(300);
    assert.equal(late, 1);
    await real.advance(60_000);
    assert.equal(late, 1);
  });

  it('is not waited for any more once the deadline is cancelled, however often it was put off', async () => {
    const real = new ManualClock();
    const clock = new AttendedClock(real);
    const cancel = patiently(clock, 3_000, () => assert.fail('it was cancelled'));
    real.skip(10_000);
    await real.advance(1_000);
    cancel();
    await real.advance(60_000);
  });
});
