import assert from 'node:assert/strict';
import { arrived } from '../../../src/daemon/arrival.js';
import type { ClusterMember } from '../../../src/daemon/member.js';
import { isOwnAddress } from '../../../src/daemon/probe.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('a node that joins', () => {
  const memberOf = (fields: Partial<ClusterMember>) =>
    ({ rejection: '', hasArrived: false, state: { advertiseAddress: '192.0.2.1:2377' }, ...fields }) as ClusterMember;

  it('is told where managers must reach it, when it has not arrived in time', async () => {
    const clock = new ManualClock();
    const outcome = assert.rejects(arrived(memberOf({}), clock), {
      code: 'unavailable',
      message:
        /^Timeout was reached before node joined\. .* Can managers reach it at 192\.0\.2\.1:2377 \(--advertise-addr\)\?$/,
    });
    await clock.advance(21_000);
    await outcome;
  });

  it('is told what managers say against it', async () => {
    await assert.rejects(arrived(memberOf({ rejection: 'not you' }), new ManualClock()), { message: 'not you' });
  });

  it('knows which addresses are its machine’s', async () => {
    assert.deepEqual(await Promise.all(['127.0.0.9', '0.0.0.0', '192.0.2.1'].map(isOwnAddress)), [true, true, false]);
  });
});
