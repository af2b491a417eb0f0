import assert from 'node:assert/strict';
import type winston from 'winston';
import { seededRandom } from '../../../src/model/random.js';
import { EngineWatch } from '../../../src/worker/engine-watch.js';
import { ManualClock } from '../../helpers/manual-clock.js';
import { SimulatedEngine } from '../../helpers/simulated-engine.js';

describe('the watch over an engine', () => {
  it('logs once that it cannot be used, from the start or later, and once that it can', async () => {
    const clock = new ManualClock();
    const engine = new SimulatedEngine(clock);
    engine.die();
    const said: string[] = [];
    const say = (message: string, { error }: { error?: string } = {}) => said.push(`${message}: ${error ?? ''}`);
    const nothing = () => {};
    const watch = new EngineWatch({
      engine,
      labels: {},
      clock,
      random: seededRandom(1),
      log: { info: say, warn: say } as unknown as winston.Logger,
      onInfo: nothing,
      onEvent: nothing,
      onLook: nothing,
      onDown: nothing,
      onError: nothing,
    });
    await watch.tried;
    await clock.advance(60_000);
    engine.boot();
    await clock.advance(6_000);
    assert.deepEqual(said.splice(0), [
      'the engine cannot be used: the engine cannot be reached',
      'the engine can be used: ',
    ]);
    engine.die();
    await clock.advance(60_000);
    assert.deepEqual(said, [
      'the engine was lost; connecting again: ',
      'the engine cannot be used: the engine cannot be reached',
    ]);
    await watch.stop();
  });

  it('leaves nothing with the stream at each of its pings, of which there are thousands while it lasts', async () => {
    const clock = new ManualClock();
    const engine = new SimulatedEngine(clock);
    const { events, ping } = engine;
    let waiting = 0;
    const counted = <T>(promise: Promise<T>): Promise<T> => {
      const listen = promise.then.bind(promise);
      // biome-ignore lint/suspicious/noThenProperty: it is a promise, of which is counted how often it is listened to
      promise.then = ((...calls: Parameters<typeof listen>) => {
        waiting += 1;
        return counted(listen(...calls));
      }) as typeof promise.then;
      return promise;
    };
    engine.events = async (...args) => {
      const stream = await events.apply(engine, args);
      return { close: () => stream.close(), ended: counted(stream.ended) };
    };
    let pings = 0;
    engine.ping = () => {
      pings += 1;
      return ping.apply(engine);
    };
    const nothing = () => {};
    const watch = new EngineWatch({
      engine,
      labels: {},
      clock,
      random: seededRandom(1),
      log: { info: nothing, warn: nothing } as unknown as winston.Logger,
      onInfo: nothing,
      onEvent: nothing,
      onLook: nothing,
      onDown: nothing,
      onError: nothing,
    });
    await watch.tried;
    await clock.advance(60_000);
    assert.ok(pings > 10, `${pings} pings`);
    assert.equal(waiting, 1);
    await watch.stop();
  });
});
