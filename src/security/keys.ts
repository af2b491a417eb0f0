import 'reflect-metadata';
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { ShoalError } from '../model/errors.js';

x509.cryptoProvider.set(webcrypto);

/** Of every key that we make. */
export const ownAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

type SigningAlgorithm = { name: string; namedCurve?: string; hash: string };

/** With which algorithm a root's key signs. Docker takes ECDSA from 256 bits and RSA from 2048. */
function algorithmOf(key: KeyObject): SigningAlgorithm {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return ownAlgorithm;
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'secp384r1') {
    return { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  }
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  throw new ShoalError('invalid-argument', 'the key of a CA must be ECDSA P-256 or P-384, or RSA of 2048 bits or more');
}

/** A private key (PEM: PKCS 8, SEC 1 or PKCS 1) ready to sign. Throws `invalid-argument` when it is none that can. */
export async function signingKey(keyPEM: string): Promise<{ key: webcrypto.CryptoKey; algorithm: SigningAlgorithm }> {
  let found: KeyObject;
  try {
    found = createPrivateKey(keyPEM);
  } catch {
    throw new ShoalError('invalid-argument', 'the key is not a private key in PEM, or it is encrypted');
  }
  const algorithm = algorithmOf(found);
  const der = found.export({ format: 'der', type: 'pkcs8' });
  return { key: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']), algorithm };
}

/** A new pair of keys: ECDSA P-256. */
export async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ownAlgorithm, true, ['sign', 'verify']);
}

export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
