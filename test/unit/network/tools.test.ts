import assert from 'node:assert/strict';
import { systemTools } from '../../../src/network/kernel/tools.js';

describe('the tools of the system', () => {
  it('give all lines, or those that are wanted, whole wherever the output was cut', async () => {
    const listing = ['-o', 'addr', 'show', 'dev', 'lo'];
    const all = (await systemTools.run('ip', listing)).split('\n').filter((line) => line !== '');
    const asked: string[] = [];
    const kept = await systemTools.run('ip', listing, undefined, (line) => asked.push(line) > 1);
    assert.deepEqual(asked, all);
    assert.equal(kept, all.slice(1).join('\n'));
  });

  it('say what is wrong in the words of the tool', async () => {
    await assert.rejects(systemTools.run('ip', ['nonsense']), /ip nonsense: Object "nonsense" is unknown/);
  });

  it('say which package is missing where one of them is not there', async () => {
    const { PATH } = process.env;
    process.env.PATH = '/nowhere';
    try {
      await assert.rejects(systemTools.run('nft', ['list', 'tables']), {
        code: 'not-found',
        message: "the command nft is not on this node, or not in the daemon's PATH (Debian's package: nftables)",
      });
    } finally {
      process.env.PATH = PATH;
    }
  });
});
