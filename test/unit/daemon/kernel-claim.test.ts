import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { packageRoot } from '../../../src/model/paths.js';

/** Claims in a process of its own, and says whether it could; so often. */
const claim = async (name: string, times: number) => {
  const program = `import { claimKernel } from '${packageRoot()}/dist/src/daemon/kernel-claim.js';
for (let time = 0; time < ${times}; time++) console.log(await claimKernel('\\0${name}'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  return stdout.trim().split('\n');
};

describe('the claim on the kernel’s networking', () => {
  it('is one daemon’s, and free again once that has ended', async () => {
    const name = `shoal-test-${process.pid}`;
    assert.deepEqual(await claim(name, 2), ['true', 'false']);
    assert.deepEqual(await claim(name, 1), ['true']);
  });
});
