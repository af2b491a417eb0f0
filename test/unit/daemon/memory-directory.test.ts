import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type winston from 'winston';
import { memoryDirectory, memoryHomes } from '../../../src/daemon/memory-directory.js';
import { packageRoot } from '../../../src/model/paths.js';

describe('the directory in memory', () => {
  let memory: string;
  let warnings: { reasons: string[] }[];
  const log = { warn: (_: string, told: { reasons: string[] }) => warnings.push(told) } as unknown as winston.Logger;
  beforeEach(() => {
    memory = mkdtempSync('/dev/shm/shoal-homes-');
    warnings = [];
  });
  afterEach(() => rmSync(memory, { recursive: true, force: true }));

  it('is at the first tmpfs where it can be made', () => {
    const [closed, open] = ['closed', 'open'].map((name) => join(memory, name)) as [string, string];
    mkdirSync(closed);
    mkdirSync(open);
    writeFileSync(join(closed, 'shoal'), ''); // what EACCES is to others, root meets as this
    const directory = memoryDirectory('n1', ['/nowhere', packageRoot(), closed, open], log);
    assert.equal(directory, join(open, 'shoal/n1'));
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.equal(warnings.length, 0);
    assert.equal(memoryDirectory('n1', ['/nowhere', closed], log), undefined);
    assert.equal(warnings[0]?.reasons.length, 2);
  });

  it('is never one that somebody else can put another in place of', () => {
    const real = join(memory, 'real');
    mkdirSync(real);
    symlinkSync(real, join(memory, 'shoal'));
    assert.equal(memoryDirectory('n1', [memory], log), undefined);
    assert.match(warnings[0]?.reasons[0] ?? '', /shoal: not a directory of this user/);
  });

  it("is the user's own before everybody's", () => {
    assert.deepEqual(memoryHomes({}), ['/run', '/dev/shm']);
    assert.deepEqual(memoryHomes({ XDG_RUNTIME_DIR: 'x' }), ['/run', '/dev/shm']);
    assert.deepEqual(memoryHomes({ XDG_RUNTIME_DIR: '/run/user/7' }), ['/run', '/run/user/7', '/dev/shm']);
  });
});
