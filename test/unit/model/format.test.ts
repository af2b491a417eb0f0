import assert from 'node:assert/strict';
import { agreedFormat, formatObstacle } from '../../../src/model/format.js';

describe('the format that managers agree on', () => {
  it('keeps managers of another one out, and says which of the two is newer', () => {
    assert.equal(formatObstacle(agreedFormat), undefined);
    assert.match(formatObstacle(agreedFormat + 1)!, /^Format: .*\(the caller has a newer one than this manager\)$/);
    assert.match(formatObstacle(0)!, /the log as format 0.*\(this manager has a newer one than the caller\)$/);
  });
});
