import { ShoalError } from '../../model/errors.js';
import type { CAConfig, ClusterInit, RootCA, RootRotation } from '../../model/types.js';
import { type Authority, checkRoot, createAuthority, crossSign } from '../../security/authority.js';
import { certificatesIn, joinPEM, publicKeyOf, samePEM } from '../../security/chain.js';
import { checkReachable } from '../../security/external-ca.js';
import { newJoinToken } from '../../security/tokens.js';
import { type Asking, crossSignExternally } from './cross-signing.js';
import { externalURLs } from './signer.js';
import { clusterTLSInfo, type FoundedCluster, type Signer, trustOf } from './trust.js';

const leastLife_ms = 365 * 24 * 3600 * 1000; // swarmkit's minRootExpiration

const refused = (field: string, what: string) => new ShoalError('invalid-argument', `CAConfig.${field}: ${what}`);

/** The old root vouches for the new one; when only an external CA has its key, that one is asked to. */
async function towards(old: RootCA, to: Signer, config: CAConfig, asking: Asking): Promise<RootRotation> {
  const CertificatePEM = joinPEM(to.certificatePEM);
  const rotation = { CertificatePEM, KeyPEM: to.keyPEM, IsOwn: to.isOwn };
  if (old.KeyPEM !== '') {
    const signer = { certificatePEM: old.CertificatePEM, keyPEM: old.KeyPEM };
    return { ...rotation, CrossSignedPEM: await crossSign(signer, to.certificatePEM, asking.now_ms) };
  }
  const { rootsPEM, signer } = trustOf({ ...old, Rotation: null });
  const urls = externalURLs(config, signer);
  if (urls.length === 0) {
    throw refused(
      'ExternalCAs',
      'must provide an external CA for the current external root CA to generate a cross-signed certificate',
    );
  }
  return { ...rotation, CrossSignedPEM: await crossSignExternally(old.CertificatePEM, to, urls, rootsPEM, asking) };
}

/**
 * The root that settings name; undefined when they name none. Throws `invalid-argument` naming what is wrong with it: that it is no root, or
 * that it ends within a year.
 */
async function namedIn(config: CAConfig, now_ms: number): Promise<Signer | undefined> {
  const { SigningCACert: certificatePEM, SigningCAKey: keyPEM } = config;
  if (certificatePEM === '') {
    if (keyPEM !== '') throw refused('SigningCAKey', 'needs the certificate that it belongs to (SigningCACert)');
    return undefined;
  }
  await checkRoot({ certificatePEM, keyPEM }, now_ms);
  return { certificatePEM, keyPEM, isOwn: false };
}

/** Throws `invalid-argument` when nobody could sign for a root that the cluster is to have, or it ends too soon. */
function checkUsable(named: Signer, config: CAConfig, now_ms: number): void {
  const [root] = certificatesIn(named.certificatePEM);
  if (Date.parse(root!.validTo) < now_ms + leastLife_ms) {
    throw refused('SigningCACert', `CA certificate expires too soon: it ends at ${root!.validTo}, within a year`);
  }
  const isExternal = config.ExternalCAs.some(({ CACert }) => samePEM(CACert, named.certificatePEM));
  if (named.keyPEM === '' && !isExternal) {
    throw refused(
      'SigningCACert',
      'needs its key (SigningCAKey), or an external CA with the same certificate (ExternalCAs[].CACert)',
    );
  }
}

/** Certificates are told apart by their issuer's key: one of the same key under another name would leave nodes where they are. */
function checkOtherKey(named: Authority, { CertificatePEM, Rotation }: RootCA): void {
  const keyOf = (pem: string) => publicKeyOf(certificatesIn(pem)[0]!);
  const present = [CertificatePEM, Rotation?.CertificatePEM ?? CertificatePEM].map(keyOf);
  if (present.includes(keyOf(named.certificatePEM))) {
    throw refused('SigningCACert', 'Cannot update to a cert with an identical key');
  }
}

/** The root of a new cluster: the one that its settings name, else one that it makes itself. Throws `invalid-argument` as `rootAfter`. */
export async function firstRoot(config: CAConfig, now_ms: number): Promise<RootCA> {
  const named = await namedIn(config, now_ms);
  if (named !== undefined) checkUsable(named, config, now_ms);
  const { certificatePEM, keyPEM, isOwn } = named ?? { ...(await createAuthority(now_ms)), isOwn: true };
  const CertificatePEM = joinPEM(certificatePEM);
  return { CertificatePEM, KeyPEM: keyPEM, IsOwn: isOwn, ForcedRotations: config.ForceRotate, Rotation: null };
}

/**
 * The cluster's root once the settings are these: a rotation begins when they name another root, or ask for a new one by a
 * ForceRotate that changed. Throws `invalid-argument` naming what is wrong with a root of the user's own or its external CAs, `unavailable`
 * when the external CA that has the old root's key does not vouch for the new one.
 */
export async function rootAfter({ RootCA: root }: FoundedCluster, config: CAConfig, asking: Asking): Promise<RootCA> {
  const { now_ms, caller } = asking;
  const ForcedRotations = config.ForceRotate;
  const named = await namedIn(config, now_ms);
  if (named === undefined) {
    if (ForcedRotations === root.ForcedRotations) {
      checkStillSigned(root, config);
      return root;
    }
    const own = { ...(await createAuthority(now_ms)), isOwn: true };
    return { ...root, Rotation: await towards(root, own, config, asking), ForcedRotations };
  }
  const { Rotation } = root;
  const withKey = { KeyPEM: named.keyPEM, IsOwn: false };
  const given = named.keyPEM === '' ? {} : withKey; // somebody has it, so that it is not the cluster's alone
  if (Rotation !== null && samePEM(Rotation.CertificatePEM, named.certificatePEM)) {
    return { ...root, Rotation: { ...Rotation, ...given }, ForcedRotations };
  }
  // Back to the root that everybody trusts still.
  if (samePEM(root.CertificatePEM, named.certificatePEM)) {
    const kept = { ...root, ...given, Rotation: null, ForcedRotations };
    checkStillSigned(kept, config);
    return kept;
  }
  checkUsable(named, config, now_ms);
  checkOtherKey(named, root);
  if (named.keyPEM === '') {
    if (root.KeyPEM === '') {
      throw refused(
        'SigningCACert',
        'rotating from one external CA to a different external CA is not supported: rotate to a root of your own, or a new one, in between',
      );
    }
    await checkReachable(externalURLs(config, named), caller, named.certificatePEM);
  }
  return { ...root, Rotation: await towards(root, named, config, asking), ForcedRotations };
}

/** Throws `invalid-argument` when settings leave out the external CAs that alone have the key of the root that signs. */
function checkStillSigned(root: RootCA, config: CAConfig): void {
  const { signer } = trustOf(root);
  if (signer.keyPEM === '' && externalURLs(config, signer).length === 0) {
    throw refused('ExternalCAs', 'there must be one for the root that signs, whose key no manager has');
  }
}

/** The cluster once every node has moved to the new root: nobody trusts the old one any more, and the join tokens name the new one. */
export function afterRotation(cluster: FoundedCluster, to: RootRotation): ClusterInit {
  const { CertificatePEM, KeyPEM, IsOwn } = to;
  const RootCA = { ...cluster.RootCA, CertificatePEM, KeyPEM, IsOwn, Rotation: null };
  return {
    ...cluster,
    RootCA,
    RootRotationInProgress: false,
    TLSInfo: clusterTLSInfo(RootCA),
    JoinTokens: { Worker: newJoinToken(CertificatePEM), Manager: newJoinToken(CertificatePEM) },
  };
}
