import assert from 'node:assert/strict';
import { complete } from '../../../src/model/codec.js';
import { ReportBatch } from '../../../src/worker/report-batch.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('the batch of reports', () => {
  function begin() {
    const clock = new ManualClock();
    const sent: string[] = [];
    const batch = new ReportBatch(clock, (reports) =>
      sent.push(reports.map(({ taskID, status }) => `${taskID} ${status.State}`).join(', ')),
    );
    return { clock, sent, batch, add: (id: string, State: string) => batch.add(id, complete('TaskStatus', { State })) };
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
