import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import { NodeCertificate } from '../../../src/daemon/node-certificate.js';
import { NodeVault } from '../../../src/daemon/node-vault.js';
import { systemClock } from '../../../src/model/clock.js';
import { systemRandom } from '../../../src/model/random.js';
import { createAuthority, crossSign } from '../../../src/security/authority.js';
import { certificatesIn, joinPEM, publicKeyOf } from '../../../src/security/chain.js';
import { materialFor, nodeID } from '../../helpers/certificates.js';

describe("a node's certificate", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shoal-certificate-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('follows the roots that the cluster wants, forwards only', async () => {
    const [old, next] = [await createAuthority(Date.now()), await createAuthority(Date.now())];
    const keyOf = ({ certificatePEM }: { certificatePEM: string }) => publicKeyOf(certificatesIn(certificatePEM)[0]!);
    const both = joinPEM(old.certificatePEM, next.certificatePEM);
    const leaf = await materialFor(next, nodeID(1), 'worker', { asOf: 20 });
    const between = await crossSign(old, next.certificatePEM, Date.now());
    const material = { ...leaf, certificatePEM: joinPEM(leaf.certificatePEM, between), rootPEM: both };
    await NodeVault.create(directory, material);
    const vault = await NodeVault.open(directory);
    const log = winston.createLogger({ silent: true });
    const parts = { clock: systemClock, random: systemRandom, log };
    const certificate = NodeCertificate.take(vault, { nodeID: nodeID(1) }, parts);

    const before = { rootsPEM: joinPEM(old.certificatePEM), issuerKey: keyOf(old) };
    assert.equal(certificate.trust({ ...before, asOf: 19 }), false, 'a manager that lags says what was');
    assert.equal(certificate.isDue, false);
    const after = { rootsPEM: joinPEM(next.certificatePEM), issuerKey: keyOf(next) };
    assert.equal(certificate.trust({ ...after, asOf: 30 }), true);
    await certificate.adoptTrust();
    assert.equal(certificate.credentials.material.rootPEM, after.rootsPEM);
    assert.equal((await NodeVault.open(directory)).material.rootPEM, after.rootsPEM);
    assert.equal(certificate.trust({ rootsPEM: both, issuerKey: keyOf(next), asOf: 29 }), false);

    const third = await createAuthority(Date.now());
    const asked = { rootsPEM: joinPEM(third.certificatePEM), issuerKey: keyOf(third), asOf: 40 };
    assert.equal(certificate.trust(asked), true);
    assert.equal(certificate.isDue, true, 'it is from another root than it shall be');
    await certificate.adoptTrust();
    assert.equal(
      certificate.credentials.material.rootPEM,
      after.rootsPEM,
      'it is renewed before its own root is given up',
    );
  });
});
