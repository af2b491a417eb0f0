import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { ShoalError } from '../model/errors.js';
import { certificateRole, entryName, type Identity } from './identity.js';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
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

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

async function importKey(keyPEM: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(keyPEM);
  return await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

/** A new root for a cluster: ECDSA P-256, self-signed, may sign node certificates only. `now_ms` is wall time. */
export async function createAuthority(now_ms: number): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: ['swarm-ca'] }],
    notBefore: new Date(now_ms - backdate_ms),
    notAfter: new Date(now_ms + rootValidity_ms),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
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
    signingAlgorithm: algorithm,
  });
  return { requestPEM: request.toString('pem'), keyPEM: await exportKey(keys.privateKey) };
}

/** Throws `invalid-argument` on a signing request that is broken, of another kind of key, or does not own its key. */
export async function checkSigningRequest(requestPEM: string): Promise<void> {
  await requestedKey(requestPEM);
}

async function requestedKey(requestPEM: string): Promise<x509.PublicKey> {
  try {
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
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: [{ O: [identity.clusterID] }, { OU: [certificateRole(identity.role)] }, { CN: [identity.nodeID] }],
    issuer: root.subjectName,
    notBefore: new Date(validity.now_ms - backdate_ms),
    notAfter: new Date(end),
    signingAlgorithm: algorithm,
    publicKey,
    signingKey: await importKey(authority.keyPEM),
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
