import assert from 'node:assert/strict';
import { Starting, startingParts } from '../../../src/network/kernel/first-answer.js';
import { ManualClock } from '../../helpers/manual-clock.js';

const to = (...keys: string[]) => new Map(keys.map((key) => [key, { taskID: key, isOpaque: false }]));

describe('a task that came into rotation through the kernel', () => {
  it('may refuse for ten seconds, and no longer; what was there at first, left again or is UDP has no such time', async () => {
    const clock = new ManualClock();
    const starting = new Starting(clock);
    const old = to('tcp 172.17.0.2 80');
    const more = to('tcp 172.17.0.2 80', 'tcp 172.17.0.3 80', 'udp 172.17.0.3 53', '10.0.1.2', '10.0.1.3');
    assert.deepEqual([...starting.replaced(new Map(), old)], []);
    assert.deepEqual([...starting.replaced(old, more)], ['tcp 172.17.0.3 80', '10.0.1.2', '10.0.1.3']);
    const fewer = new Map([...more].filter(([key]) => key !== '10.0.1.3'));
    await clock.advance(9_000);
    assert.deepEqual([...starting.replaced(more, fewer)], ['tcp 172.17.0.3 80', '10.0.1.2']);
    await clock.advance(1_000);
    assert.deepEqual([...starting.replaced(fewer, fewer)], []);
  });

  it('costs no rule while nobody comes', () => {
    assert.equal(startingParts(new Set()).chains.size, 0);
    const { chains, ports, addresses } = startingParts(new Set(['tcp 172.17.0.3 80', '10.0.1.2']));
    assert.deepEqual([[...ports.keys()], [...addresses.keys()]], [['172.17.0.3 . 80'], ['10.0.1.2']]);
    assert.equal(chains.get('starting')?.rules.length, 2);
  });
});
