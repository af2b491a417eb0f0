import assert from 'node:assert/strict';
import { createAuthority } from '../../../src/security/authority.js';
import { newJoinToken, parseJoinToken, rootDigest, sameToken } from '../../../src/security/tokens.js';

describe('join tokens', () => {
  it("have Docker's form and carry the digest of the root", async () => {
    const { certificatePEM } = await createAuthority(Date.now());
    const token = newJoinToken(certificatePEM);
    assert.match(token, /^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
    assert.equal(parseJoinToken(token).rootDigest, rootDigest(certificatePEM));
    assert.notEqual(newJoinToken(certificatePEM), token);
  });

  it('do not depend on how the root was wrapped into lines', async () => {
    const { certificatePEM } = await createAuthority(Date.now());
    assert.equal(rootDigest(`${certificatePEM.replaceAll('\n', '\r\n')}\n\n`), rootDigest(certificatePEM));
  });

  it('are refused when anything about their form is wrong, and never repeated in the message', async () => {
    const { certificatePEM } = await createAuthority(Date.now());
    const token = newJoinToken(certificatePEM);
    for (const bad of [
      '',
      ' ',
      token.slice(0, -1),
      `${token}0`,
      token.toUpperCase(),
      token.replace('-1-', '-2-'),
      `${token}\n`,
    ]) {
      assert.throws(
        () => parseJoinToken(bad),
        (error: Error) => error.message === 'invalid join token',
        JSON.stringify(bad),
      );
    }
  });

  it('compare equal only when they are', () => {
    assert.ok(sameToken('a', 'a'));
    assert.ok(!sameToken('a', 'b'));
    assert.ok(!sameToken('', ''), 'a cluster without a token admits nobody');
  });
});
