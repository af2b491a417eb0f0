import assert from 'node:assert/strict';
import { leadsSession } from '../../../src/daemon/priority.js';

describe('the priority of the daemon', () => {
  it('is raised for a session of its own only, whatever the process is called', () => {
    assert.equal(leadsSession('41 (node) S 1 41 41 0 -1 4194560'), true);
    assert.equal(leadsSession('41 (node) S 7 41 7 34816 41 4194560'), false);
    assert.equal(leadsSession('41 (a) S 1 41 41 (b) S 7 41 7 34816 41'), false);
    assert.equal(leadsSession(''), false);
  });
});
