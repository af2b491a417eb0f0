import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import type { TLSInfo } from '../model/types.js';
import { joinPEM } from './chain.js';

/** What the API tells of the root of trust: `TLSInfo` of a cluster or a node. */
export function tlsInfoOf(rootPEM: string): TLSInfo {
  const root = new x509.X509Certificate(rootPEM);
  const base64 = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('base64');
  return {
    TrustRoot: joinPEM(rootPEM),
    CertIssuerSubject: base64(root.subjectName.toArrayBuffer()),
    CertIssuerPublicKey: base64(root.publicKey.rawData),
  };
}
