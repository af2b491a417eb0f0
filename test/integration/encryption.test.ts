import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import type { Seen } from '../helpers/encrypted-pair.js';
import { inUserModeLinux } from '../helpers/user-mode-linux.js';

const script = fileURLToPath(new URL('../helpers/encrypted-pair.js', import.meta.url));
const crypto = ['drbg', 'hmac', 'sha512_generic', 'jitterentropy_rng', 'gcm', 'ctr', 'seqiv', 'ghash-generic'];
const networking = ['esp4', 'xfrm_user', 'vxlan', 'veth', 'bridge', 'br_netfilter'];

// The kernel of the machine that tests may have no ESP. This one is booted for it, 16 s of a processor; a minute on a busy machine.
describe('an encrypted network between two nodes, on a kernel that can encrypt', function () {
  this.timeout(180_000);
  let seen: Seen;
  before(async () => {
    seen = await inUserModeLinux<Seen>({ script, modules: [...crypto, ...networking], limit_ms: 150_000 });
  });

  it('is found possible, without leaving anything', () => {
    assert.deepEqual([seen.obstacle, seen.probeLeft], [undefined, '']);
  });

  it('lets nothing be read on the wire, and carries packets of full size in one piece', () => {
    assert.ok(seen.wire.encrypted > 100, `${seen.wire.encrypted} packets`);
    assert.deepEqual([seen.wire.others, seen.wire.canaries, seen.wire.fragments], [[], 0, 0]);
    assert.deepEqual([seen.mtu, seen.large], [1416, true]);
  });

  it('loses nothing while keys change, whichever node hears of it first', () => {
    const { sent, answered } = seen.rotations;
    assert.ok(sent > 50, `${sent} sent`);
    assert.equal(answered, sent);
  });

  it('takes nothing that is not encrypted, whoever says to have sent it, and nothing twice', () => {
    assert.deepEqual(seen.injected, { control: true, stranger: false, forged: false });
    assert.equal(seen.replayed.answers, false);
    assert.ok(seen.replayed.refused > 0);
  });

  it('is put right with other keys when somebody removes what encrypts, and taken over by the next agent as it is', () => {
    assert.deepEqual(seen.mended, { isShut: true, answers: true });
    assert.deepEqual(seen.flushed, { epochs: 1, answers: true });
    assert.deepEqual(seen.restarted, { epochIsSame: true, answers: true });
  });

  it('is verified without showing a key, and removed without touching what is not ours', () => {
    assert.deepEqual(seen.differences.good, []);
    assert.match(seen.differences.spoilt.join(), /^to be done: ip xfrm policy update .* dir out/);
    assert.equal(seen.left.ours, '');
    assert.match(
      seen.left.foreign,
      /^src 192.168.9.1 dst 192.168.9.77; src 192.168.9.1\/32 dst 192.168.9.77\/32 proto tcp/,
    );
  });
});
