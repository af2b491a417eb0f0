import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/model/paths.js';

describe('the process of a daemon', function () {
  this.timeout(20_000);

  it('opens no debugger at SIGUSR1, goes on, and leaves its memory out of core dumps', async () => {
    const module = join(packageRoot(), 'dist/src/daemon/closed-process.js');
    const program = `const { closeProcess } = await import(${JSON.stringify(module)});
      closeProcess({ warn: console.error, info: console.log });
      console.log('closed');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe' });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.stdout.setEncoding('utf8');
    assert.deepEqual(await once(child.stdout, 'data'), ['closed\n']);
    assert.equal(Number(readFileSync(`/proc/${child.pid}/coredump_filter`, 'utf8')), 0);
    child.kill('SIGUSR1');
    assert.deepEqual(await once(child.stdout, 'data'), ['SIGUSR1 does nothing here\n']);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'close'), [null, 'SIGTERM']);
    assert.doesNotMatch(errors, /Debugger/);
  });
});
