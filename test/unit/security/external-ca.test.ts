import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { Authority } from '../../../src/security/authority.js';
import { crossSignRequestFor } from '../../../src/security/external-ca.js';
import { exportKey } from '../../../src/security/keys.js';

/** A root as a user may bring one along. */
async function rootOf(name: string, algorithm: object): Promise<Authority> {
  const keys = (await webcrypto.subtle.generateKey(algorithm as webcrypto.RsaHashedKeyGenParams, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm as x509.Pkcs10CertificateRequestCreateParams['signingAlgorithm'],
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificatePEM: certificate.toString('pem'), keyPEM: await exportKey(keys.privateKey) };
}

interface Asked {
  certificate_request: string;
  subject: { CN: string; names: Record<string, string>[] };
  profile: string;
  extensions: { id: string; critical: boolean; value: string }[];
}

describe('the request that an external CA vouches for another root', () => {
  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  for (const [kind, algorithm] of Object.entries({
    'ECDSA P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
    'ECDSA P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    RSA: rsa,
  })) {
    it(`is signed by the key of that root and names it whole: ${kind}`, async () => {
      const root = await rootOf('C=DE, ST=B, L=Berlin, O=Acme, OU=IT, CN=Our Root', algorithm);
      const asked = (await crossSignRequestFor(root)) as Asked;
      const request = new x509.Pkcs10CertificateRequest(asked.certificate_request);
      assert.equal(await request.verify(), true);
      const certificate = new x509.X509Certificate(root.certificatePEM);
      assert.equal(request.subject, certificate.subject);
      assert.deepEqual(Buffer.from(request.publicKey.rawData), Buffer.from(certificate.publicKey.rawData));
      assert.deepEqual(asked.subject, {
        CN: 'Our Root',
        names: [{ C: 'DE', ST: 'B', L: 'Berlin', O: 'Acme', OU: 'IT' }],
      });
      // A CA with nothing below it, in DER: cfssl takes the extension from here, not from the request.
      assert.deepEqual(asked.extensions, [{ id: '2.5.29.19', critical: true, value: '30060101ff020100' }]);
      assert.equal(asked.profile, 'CA');
    });
  }
});
