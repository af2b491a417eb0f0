import assert from 'node:assert/strict';
import winston from 'winston';
import { demoteOthers } from '../../../src/manager/membership/demotion.js';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import type { TransactionInit } from '../../../src/model/types.js';
import type { View } from '../../../src/store/view.js';
import { ManualClock } from '../../helpers/manual-clock.js';

const manager = (ID: string) => complete('Node', { ID, RaftID: 7, Spec: { Role: 'manager' } });
const view = { list: () => [manager('me'), manager('lost')] } as unknown as View;

describe('the managers that a cluster lost, when it is forced anew', () => {
  function start(failures: number) {
    const clock = new ManualClock();
    const ending = new AbortController();
    const proposed: TransactionInit[] = [];
    const store = {
      read: async () => view,
      async propose(transaction: TransactionInit) {
        proposed.push(transaction);
        if (proposed.length <= failures) throw new ShoalError('unavailable', 'its fate is not known');
        return { index: 1 };
      },
    };
    const log = winston.createLogger({ silent: true });
    const end = demoteOthers({ nodeID: 'me', store, clock, log, signal: ending.signal });
    return { clock, ending, proposed, end };
  }

  it('are made workers, however often that fails at first', async () => {
    const { clock, proposed, end } = start(3);
    for (let count = 0; count < 10; count++) await clock.advance(1000);
    await end;
    assert.equal(proposed.length, 4);
    assert.deepEqual(
      proposed[3]!.Operations!.map(({ ID, Node }) => [ID, Node?.Spec?.Role, Node?.RaftID]),
      [['lost', 'worker', 0]],
    );
  });

  it('are left when the manager stops', async () => {
    const { clock, ending, end } = start(Number.POSITIVE_INFINITY);
    await clock.advance(2500);
    ending.abort();
    await assert.rejects(end, { code: 'unavailable' });
  });
});
