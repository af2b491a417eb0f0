import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../../src/model/paths.js';

describe('bin/shoal', () => {
  it('reads --env-file itself: Node, which has a flag of that name, is kept from it', () => {
    const { stderr, status } = spawnSync(
      join(packageRoot(), 'bin', 'shoal'),
      ['service', 'create', '--env-file', '/nosuch/file', 'image'],
      { encoding: 'utf8' },
    );
    assert.equal(stderr, 'open /nosuch/file: no such file or directory\n');
    assert.equal(status, 1);
  });
});
