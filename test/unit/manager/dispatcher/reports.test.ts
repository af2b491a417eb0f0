import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { GatheredReports } from '../../../../src/manager/dispatcher/gathered-reports.js';
import { NewestOnly } from '../../../../src/manager/dispatcher/newest-only.js';
import { Reports } from '../../../../src/manager/dispatcher/reports.js';
import { complete } from '../../../../src/model/codec.js';
import { type ErrorCode, ShoalError } from '../../../../src/model/errors.js';
import { rankOf, taskStates } from '../../../../src/model/states.js';
import type { OperationInit, TransactionInit } from '../../../../src/model/types.js';
import { logLines } from '../../../helpers/log-lines.js';
import { ManualClock, settled } from '../../../helpers/manual-clock.js';
import { quiet } from '../../../helpers/node-under-test.js';

const seen = (State: string, Message = '') => complete('TaskStatus', { State, Message });

describe('reports of nodes', () => {
  it('are gathered so that each state that a task passed through is there once, in order, with its newest detail', () => {
    const report = fc.record({ id: fc.constantFrom('a', 'b'), State: fc.constantFrom(...taskStates) });
    fc.assert(
      fc.property(fc.array(report), fc.integer({ min: 1, max: 40 }), (reports, bytes_max) => {
        const gathered = new GatheredReports();
        for (const [at, { id, State }] of reports.entries()) gathered.addTask(id, seen(State, String(at)), 10);
        const taken: OperationInit[] = [];
        for (let some = gathered.take(bytes_max); some.length > 0; some = gathered.take(bytes_max)) taken.push(...some);
        for (const id of ['a', 'b']) {
          const states = taken.filter(({ Task }) => Task?.ID === id).map(({ Task }) => Task?.Status);
          const ranks = states.map((status) => rankOf(status?.State ?? ''));
          assert.deepEqual(
            ranks,
            [...new Set(ranks)].sort((one, two) => one - two),
          );
          const highest = Math.max(-1, ...reports.filter((one) => one.id === id).map(({ State }) => rankOf(State)));
          assert.equal(ranks.at(-1) ?? -1, highest);
          if (highest < 0) continue;
          const newest = reports.findLastIndex((one) => one.id === id && rankOf(one.State) === highest);
          assert.equal(states.at(-1)?.Message, String(newest));
        }
      }),
    );
  });

  const failing = (failures: (ErrorCode | undefined)[], poison?: string, log = quiet) => {
    const taken: string[] = [];
    const proposer = {
      propose: async ({ Operations = [] }: TransactionInit) => {
        const failure = failures.shift();
        if (failure !== undefined) throw new ShoalError(failure, 'for now');
        const ids = (Operations ?? []).map(({ Task }) => Task?.ID ?? '');
        if (poison !== undefined && ids.includes(poison)) throw new ShoalError('invalid-argument', 'poison');
        taken.push(...ids);
        return { index: 1 };
      },
    };
    const clock = new ManualClock();
    return { taken, clock, reports: new Reports(proposer, clock, log) };
  };

  it('that a full disk holds up for a minute are told of once, and again when there is another reason', async () => {
    const { log, lines } = logLines();
    const full = Array.from({ length: 600 }, () => 'overloaded' as const);
    const { taken, clock, reports } = failing([...full, 'unavailable'], undefined, log);
    reports.addTask('a', seen('running'), 10);
    await clock.advance(61_000);
    assert.deepEqual(taken, ['a']);
    assert.deepEqual(
      lines.map(({ code }) => code),
      ['overloaded', 'unavailable'],
    );
  });

  it('are tried again until they are in, while more gather', async () => {
    const { taken, clock, reports } = failing(['unavailable', 'no-leader', 'overloaded']);
    reports.addTask('a', seen('running'), 10);
    await settled();
    reports.addTask('b', seen('running'), 10);
    await clock.advanceUntil(() => taken.length === 2);
    assert.deepEqual(taken, ['a', 'b']);
  });

  it('are forgotten on demand, also those on their way', async () => {
    const { taken, clock, reports } = failing(['unavailable']);
    reports.addTask('a', seen('running'), 10);
    await settled();
    reports.clear();
    reports.addTask('b', seen('running'), 10);
    await clock.advanceUntil(() => taken.length > 0);
    await clock.advance(1_000);
    assert.deepEqual(taken, ['b']);
  });

  it('come in even when one among them is refused', async () => {
    const { taken, clock, reports } = failing([], 'c');
    for (const id of ['a', 'b', 'c', 'd', 'e']) reports.addTask(id, seen('running'), 10);
    await clock.advanceUntil(() => taken.length === 4, 0).catch(() => settled());
    await settled();
    assert.deepEqual(taken, ['a', 'b', 'd', 'e']);
  });
});

describe('a stream of which only the newest message counts', () => {
  it('queues nothing for a reader that is slow', async () => {
    const stream = new PassThrough({ objectMode: true, highWaterMark: 1 });
    const sender = new NewestOnly<number>(stream);
    for (let message = 1; message <= 100; message++) sender.send(message);
    const read: number[] = [];
    stream.on('data', (message: number) => read.push(message));
    while (read.at(-1) !== 100) await settled();
    assert.ok(read.length < 5, `${read.length} were queued`);
    sender.send(101);
    while (read.at(-1) !== 101) await settled();
  });
});
