import { X509Certificate } from 'node:crypto';
import { ShoalError } from '../../model/errors.js';
import type { Cluster, RootCA, TLSInfo } from '../../model/types.js';
import { joinPEM, publicKeyOf } from '../../security/chain.js';
import { tlsInfoOf } from '../../security/tls-info.js';

export type FoundedCluster = Cluster & { RootCA: RootCA };

/** The cluster, which has a root. Throws `unavailable` before it was initialised. */
export function founded(cluster: Cluster | undefined): FoundedCluster {
  if (cluster?.RootCA == null) throw new ShoalError('unavailable', 'the cluster is not initialised yet');
  return cluster as FoundedCluster;
}

/** A root that signs; its key is empty when only an external CA has it. */
export interface Signer {
  certificatePEM: string;
  keyPEM: string;
  /** The cluster made it itself, so that no external CA has its key. */
  isOwn: boolean;
}

/** Whom nodes trust, and who signs their certificates. */
export interface Trust {
  /** The root that join tokens name and everybody trusts. */
  rootPEM: string;
  /** All roots that count: two while one takes the other's place. */
  rootsPEM: string;
  /** The root that signs. */
  signer: Signer;
  /** What leads from the signer to `rootPEM`; empty when that is the signer itself. */
  betweenPEM: string;
}

/** What follows from the cluster's root, and from a rotation of it while there is one. */
export function trustOf({ CertificatePEM, KeyPEM, IsOwn, Rotation }: RootCA): Trust {
  if (Rotation === null) {
    const signer = { certificatePEM: CertificatePEM, keyPEM: KeyPEM, isOwn: IsOwn };
    return { rootPEM: CertificatePEM, rootsPEM: joinPEM(CertificatePEM), signer, betweenPEM: '' };
  }
  return {
    rootPEM: CertificatePEM,
    rootsPEM: joinPEM(CertificatePEM, Rotation.CertificatePEM),
    signer: { certificatePEM: Rotation.CertificatePEM, keyPEM: Rotation.KeyPEM, isOwn: Rotation.IsOwn },
    betweenPEM: Rotation.CrossSignedPEM,
  };
}

/** What the API tells of the cluster's root: the root that everybody trusts, and the issuer that certificates are from or shall be from. */
export function clusterTLSInfo(root: RootCA): TLSInfo {
  const { signer, rootPEM } = trustOf(root);
  return { ...tlsInfoOf(signer.certificatePEM), TrustRoot: joinPEM(rootPEM) };
}

/** The public key of the root that node certificates shall be from, as nodes tell it of theirs. */
export function issuerKeyOf(root: RootCA): string {
  return publicKeyOf(new X509Certificate(trustOf(root).signer.certificatePEM));
}
