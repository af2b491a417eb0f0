import assert from 'node:assert/strict';
import { complete } from '../../../src/model/codec.js';
import { ReportBatch } from '../../../src/worker/report-batch.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the batch of reports', () => {
  function begin() {
    const clock = new ManualClock();
    const sent: string[] = [];
    const engine = { isBusy: false };
    const batch = new ReportBatch(
      clock,
      () => engine.isBusy,
      (reports) => sent.push(reports.map(({ taskID, status }) => `${taskID} ${status.State}`).join(', ')),
    );
    const add = (id: string, State: string, ...Addresses: string[]) =>
      batch.add(id, complete('TaskStatus', { State, Addresses: Addresses.map((Addr) => ({ Addr })) }));
    return { clock, sent, batch, engine, add };
  }

  it('tells what matters at once, and with it what waited', async () => {
    const { clock, sent, add } = begin();
    add('a', 'accepted');
    add('b', 'starting');
    await clock.advance(50);
    add('a', 'running');
    await clock.advance(0);
    assert.deepEqual(sent, ['a running, b starting']);
    await clock.advance(1_000);
    assert.equal(sent.length, 1);
  });

  it('does not keep a step on the way for longer than a moment', async () => {
    const { clock, sent, add } = begin();
    add('a', 'accepted');
    await clock.advance(150);
    add('a', 'preparing');
    await clock.advance(100);
    assert.deepEqual(sent, ['a preparing']);
    add('a', 'failed');
    await clock.advance(20);
    assert.deepEqual(sent, ['a preparing', 'a failed']);
  });

  it('puts together what matters within a moment', async () => {
    const { clock, sent, add } = begin();
    add('a', 'running');
    await clock.advance(0);
    add('b', 'running');
    await clock.advance(10);
    add('c', 'shutdown');
    assert.deepEqual(sent, ['a running']);
    await clock.advance(10);
    assert.deepEqual(sent, ['a running', 'b running, c shutdown']);
    await clock.advance(1_000);
    add('d', 'running');
    await clock.advance(0);
    assert.equal(sent.at(-1), 'd running');
  });

  it('lets what was reached wait for the engine’s other work, less if others go by it', async () => {
    const { clock, sent, engine, add } = begin();
    engine.isBusy = true;
    add('a', 'running');
    await clock.advance(400);
    add('b', 'running', '10.0.0.1');
    await clock.advance(90);
    assert.deepEqual(sent, []);
    await clock.advance(10);
    assert.deepEqual(sent, ['a running, b running']);
    add('c', 'shutdown');
    await clock.advance(250);
    add('d', 'running');
    await clock.advance(500);
    assert.deepEqual(sent.slice(1), ['c shutdown', 'd running']);
    add('b', 'running'); // it can be reached no more
    await clock.advance(20);
    assert.equal(sent.at(-1), 'b running');
  });

  it('waits no longer once the engine has done its work', async () => {
    const { clock, sent, engine, add } = begin();
    engine.isBusy = true;
    add('a', 'running');
    await clock.advance(200);
    engine.isBusy = false;
    add('b', 'ready');
    await clock.advance(0);
    assert.deepEqual(sent, ['a running, b ready']);
  });

  it('tells what waits when it is asked to, and nothing when nothing does', () => {
    const { sent, add, batch } = begin();
    batch.flush();
    add('a', 'preparing');
    add('b', 'shutdown');
    batch.flush();
    assert.deepEqual(sent, ['a preparing, b shutdown']);
  });

  it('tells nothing once it was stopped', async () => {
    const { clock, sent, add, batch } = begin();
    add('a', 'running');
    batch.stop();
    add('b', 'running');
    await clock.advance(1_000);
    assert.deepEqual(sent, []);
  });
});
