import 'reflect-metadata';
import { createPublicKey, randomBytes, type X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { ShoalError } from '../model/errors.js';
import { certificatesIn, publicKeyOf } from './chain.js';
import { certificateRole, entryName, type Identity } from './identity.js';
import { exportKey, newKeys, ownAlgorithm, signingKey } from './keys.js';

const requestLength_max = 8192; // ours have 400; nobody shall be kept busy with reading megabytes of DER
const rootValidity_ms = 20 * 365 * 24 * 3600 * 1000; // Docker's: 20 years
/** By how much certificates begin before they are made: nodes whose clocks are an hour behind accept them (Docker's). */
export const backdate_ms = 3600 * 1000;

/** A root certificate and its private key, PEM. */
export interface Authority {
  certificatePEM: string;
  keyPEM: string;
}

function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40; // a positive integer of a fixed length, as DER wants it
  return bytes.toString('hex');
}

/** A new root for a cluster: ECDSA P-256, self-signed, may sign node certificates and the root that takes its place. `now_ms` is wall time. */
export async function createAuthority(now_ms: number): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: ['swarm-ca'] }],
    notBefore: new Date(now_ms - backdate_ms),
    notAfter: new Date(now_ms + rootValidity_ms),
    signingAlgorithm: ownAlgorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true), // one certificate between: that of the root which takes its place
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePEM: certificate.toString('pem'), keyPEM: await exportKey(keys.privateKey) };
}

export interface SigningRequest {
  requestPEM: string;
  /** Stays on the node. */
  keyPEM: string;
}

/** A new key and a request to sign it. The request names nobody: who it is for is for the authority to say. */
export async function createSigningRequest(): Promise<SigningRequest> {
  const keys = await newKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ['swarm-node'] }],
    keys,
    signingAlgorithm: ownAlgorithm,
  });
  return { requestPEM: request.toString('pem'), keyPEM: await exportKey(keys.privateKey) };
}

/** The key that a request asks to have signed, base64 of its DER. Throws `invalid-argument` when the request is broken or does not own it. */
export async function requestedPublicKey(requestPEM: string): Promise<string> {
  return Buffer.from((await requestedKey(requestPEM)).rawData).toString('base64');
}

async function requestedKey(requestPEM: string): Promise<x509.PublicKey> {
  try {
    if (requestPEM.length > requestLength_max) throw new Error(`it is longer than ${requestLength_max} characters`);
    const request = new x509.Pkcs10CertificateRequest(requestPEM);
    const key = request.publicKey.algorithm as { name: string; namedCurve?: string };
    if (key.name !== 'ECDSA' || key.namedCurve !== 'P-256') throw new Error('its key is not ECDSA P-256');
    if (!(await request.verify())) throw new Error('it is not signed by the key that it names');
    return request.publicKey;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ShoalError('invalid-argument', `SigningRequestPEM: not a usable signing request: ${reason}`);
  }
}

/**
 * Signs a node's request. Everything but the key comes from `identity`, never from the request. The certificate ends with the
 * root if that is earlier. Throws `invalid-argument` on a request that is broken or does not own its key.
 */
export async function signNodeCertificate(
  authority: Authority,
  requestPEM: string,
  identity: Identity,
  validity: { now_ms: number; expiry_ms: number },
): Promise<string> {
  const publicKey = await requestedKey(requestPEM);
  const root = new x509.X509Certificate(authority.certificatePEM);
  const end = Math.min(validity.now_ms + validity.expiry_ms, root.notAfter.getTime());
  const { key, algorithm } = await signingKey(authority.keyPEM);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ O: [identity.clusterID] }, { OU: [certificateRole(identity.role)] }, { CN: [identity.nodeID] }],
    issuer: root.subjectName,
    notBefore: new Date(validity.now_ms - backdate_ms),
    notAfter: new Date(end),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: key,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: certificateRole(identity.role) },
        { type: 'dns', value: identity.nodeID },
        { type: 'dns', value: entryName(identity.asOf) },
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(root.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return certificate.toString('pem');
}

/**
 * A root's certificate from another root, which it takes the place of: who trusts only the old one finds its way to the new one. Ends with
 * the first of the two.
 */
export async function crossSign(old: Authority, newRootPEM: string, now_ms: number): Promise<string> {
  const [issuer, subject] = [new x509.X509Certificate(old.certificatePEM), new x509.X509Certificate(newRootPEM)];
  const { key, algorithm } = await signingKey(old.keyPEM);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subject.subjectName,
    issuer: issuer.subjectName,
    notBefore: new Date(now_ms - backdate_ms),
    notAfter: new Date(Math.min(issuer.notAfter.getTime(), subject.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: subject.publicKey,
    signingKey: key,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(subject.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return certificate.toString('pem');
}

/**
 * Throws `invalid-argument` when a user's own root cannot be one: not one certificate, not of a CA, not self-signed, not valid now, or
 * (with a key) not of this key.
 */
export async function checkRoot({ certificatePEM, keyPEM }: Authority, now_ms: number): Promise<void> {
  const refused = (what: string) => new ShoalError('invalid-argument', `CAConfig.SigningCACert: ${what}`);
  let found: X509Certificate[];
  try {
    found = certificatesIn(certificatePEM);
  } catch {
    throw refused('not a certificate in PEM');
  }
  const [root] = found;
  if (root === undefined || found.length !== 1)
    throw refused(`must be one certificate in PEM; ${found.length} were found`);
  if (!root.ca) throw refused('it is not the certificate of a CA');
  if (new x509.X509Certificate(certificatePEM).getExtension(x509.BasicConstraintsExtension)?.pathLength === 0) {
    throw refused('its path length is 0: it could never vouch for the root that takes its place');
  }
  if (!root.verify(root.publicKey)) throw refused('it is not signed by itself: intermediate CAs are not supported');
  if (Date.parse(root.validFrom) > now_ms || Date.parse(root.validTo) <= now_ms) throw refused('it is not valid now');
  if (keyPEM === '') return;
  await signingKey(keyPEM);
  const key = createPublicKey(keyPEM).export({ format: 'der', type: 'spki' }).toString('base64');
  if (key !== publicKeyOf(root))
    throw new ShoalError('invalid-argument', 'CAConfig.SigningCAKey: it is not the key of SigningCACert');
}
