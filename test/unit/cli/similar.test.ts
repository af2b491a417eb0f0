import assert from 'node:assert/strict';
import { similar } from '../../../src/cli/base/similar.js';

describe('what somebody may have meant', () => {
  const names = ['config', 'network', 'node', 'secret', 'service', 'stack', 'swarm', 'update', 'version'];

  it('is what the word begins, or a slip or two away', () => {
    for (const [word, meant] of [
      ['servcie', ['service']],
      ['SERVICE', ['service']],
      ['nodes', ['node']],
      ['net', ['network']],
      ['stak', ['stack']],
      ['updaet', ['update']],
      ['upgrade', []],
      ['ls', []],
      ['', []],
      ['x'.repeat(10_000), []],
    ] as const) {
      assert.deepEqual(similar(word, names), meant, word);
    }
  });

  it('is at most five', () => {
    assert.equal(
      similar(
        'up',
        Array.from({ length: 20 }, (_, at) => `update-${at}`),
      ).length,
      5,
    );
  });
});
