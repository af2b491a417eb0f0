import assert from 'node:assert/strict';
import { GatheredNews } from '../../../../src/manager/dispatcher/gathered-news.js';
import { ManualClock } from '../../../helpers/manual-clock.js';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('news for nodes', () => {
  /** Tells of everything until now to so many nodes; `told` has how much there was each time. */
  function newsFor(nodes: number) {
    const clock = new ManualClock();
    const told: number[] = [];
    let waiting = 0;
    const gathered = new GatheredNews(clock, () => {
      told.push(waiting);
      waiting = 0;
      return nodes;
    });
    const happen = async () => {
      waiting++;
      gathered.tellSoon();
      await nextTurn();
    };
    return { clock, told, gathered, happen };
  }

  it('is told in the turn in which it comes, while it goes to few', async () => {
    const { told, happen, clock } = newsFor(20);
    for (let at = 0; at < 5; at++) await happen();
    assert.deepEqual(told, [1, 1, 1, 1, 1]);
    assert.equal(clock.waiting, 0);
  });

  it('gathers once it went to many, for half a millisecond each', async () => {
    const { told, happen, clock } = newsFor(400);
    for (let at = 0; at < 5; at++) await happen();
    assert.deepEqual(told, [1], 'the first goes at once');
    await clock.advance(199);
    assert.deepEqual(told, [1]);
    await clock.advance(1);
    assert.deepEqual(told, [1, 4]);
    await clock.advance(1_000);
    await happen();
    assert.deepEqual(told, [1, 4, 1], 'after a rest it goes at once again');
  });

  it('stays untold once its manager has stopped', async () => {
    const { told, happen, clock, gathered } = newsFor(400);
    await happen();
    await happen();
    gathered.stop();
    await clock.advance(1_000);
    await happen();
    assert.deepEqual(told, [1]);
  });
});
