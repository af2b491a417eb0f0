import assert from 'node:assert/strict';
import fc from 'fast-check';
import { seededRandom } from '../../../src/model/random.js';
import { Backoff } from '../../../src/worker/backoff.js';
import { ImagePulls } from '../../../src/worker/image-pulls.js';
import { Limiter } from '../../../src/worker/limiter.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

describe('limiter', () => {
  it('runs every job once, in order, never more than its limit, whatever the limit becomes', async () => {
    const change = fc.integer({ min: 1, max: 5 });
    await fc.assert(
      fc.asyncProperty(
        change,
        fc.array(fc.oneof(fc.constant('job'), fc.constant('end'), change), { maxLength: 60 }),
        async (first, script) => {
          let max = first;
          const limiter = new Limiter(max);
          const ends: (() => void)[] = [];
          const begun: number[] = [];
          let jobs = 0;
          const all: Promise<void>[] = [];
          for (const act of script) {
            const before = ends.length;
            if (act === 'job') {
              const number = jobs++;
              all.push(
                limiter.run(() => {
                  begun.push(number);
                  return new Promise<void>((resolve) => ends.push(resolve));
                }),
              );
            } else if (act === 'end') ends.shift()?.();
            else {
              max = act as number;
              limiter.setMax(max);
            }
            await settled();
            if (ends.length > before) assert.ok(ends.length <= max, `${ends.length} at once, ${max} allowed`);
          }
          while (begun.length < jobs || ends.length > 0) {
            ends.shift()?.();
            await settled();
          }
          await Promise.all(all);
          assert.deepEqual(
            begun,
            [...begun].sort((a, b) => a - b),
          );
          assert.equal(begun.length, jobs);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives a failed job’s place on', async () => {
    const limiter = new Limiter(1);
    await assert.rejects(limiter.run(() => Promise.reject(new Error('no'))));
    assert.equal(await limiter.run(async () => 'next'), 'next');
  });
});

describe('back-off', () => {
  it('grows to its limit, never below half of it, and starts again', () => {
    const backoff = new Backoff(seededRandom(3), 100, 1_000);
    const full = [100, 200, 400, 800, 1_000, 1_000];
    for (const limit_ms of full) {
      const pause_ms = backoff.next_ms();
      assert.ok(pause_ms >= limit_ms / 2 && pause_ms <= limit_ms, `${pause_ms} of ${limit_ms}`);
    }
    backoff.reset();
    assert.ok(backoff.next_ms() <= 100);
  });
});

describe('pulls of images', () => {
  const signal = () => new AbortController();

  it('are shared, and go on while anybody waits', async () => {
    const clock = new ManualClock();
    const engine = new SimulatedEngine(clock);
    engine.registry = new Set(['db:2']);
    engine.latency_ms = () => 1_000;
    const pulls = new ImagePulls(engine);
    const [one, two] = [signal(), signal()];
    const first = assert.rejects(pulls.pull('db:2', '', one.signal), /nobody waits/);
    const second = pulls.pull('db:2', '', two.signal);
    await settled();
    one.abort();
    await first;
    await clock.advance(1_000);
    await second;
    assert.equal(engine.counts.get('pull'), 1);
    await assert.rejects(pulls.pull('db:2', '', one.signal), /nobody waits/);
  });

  it('that were given up can be tried again', async () => {
    const engine = new SimulatedEngine(new ManualClock());
    engine.registry = undefined;
    const told: AbortSignal[] = [];
    const pull = engine.pull.bind(engine);
    engine.pull = (image, options) => {
      told.push(options.signal);
      return pull(image, options);
    };
    const pulls = new ImagePulls(engine);
    const one = signal();
    const first = assert.rejects(pulls.pull('db:2', '', one.signal));
    one.abort();
    await first;
    assert.equal(told[0]?.aborted, true, 'the engine goes on pulling for nobody');
    engine.registry = new Set(['db:2']);
    await pulls.pull('db:2', '', signal().signal);
    assert.ok(engine.images.has('db:2'));
  });
});
