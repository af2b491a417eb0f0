import { ShoalError } from '../../model/errors.js';
import type { CAConfig, ClusterInit, RootCA, RootRotation } from '../../model/types.js';
import { type Authority, checkRoot, createAuthority, crossSign } from '../../security/authority.js';
import { joinPEM } from '../../security/chain.js';
import { newJoinToken } from '../../security/tokens.js';
import { type Asking, crossSignExternally } from './cross-signing.js';
import { externalURLs } from './signer.js';
import { clusterTLSInfo, type FoundedCluster, trustOf } from './trust.js';

const sameRoot = (one: string, other: string) => joinPEM(one) === joinPEM(other);

/** The old root vouches for the new one; when only an external CA has its key, that one is asked to. */
async function towards(old: RootCA, to: Authority, config: CAConfig, asking: Asking): Promise<RootRotation> {
  const CertificatePEM = joinPEM(to.certificatePEM);
  const rotation = { CertificatePEM, KeyPEM: to.keyPEM };
  if (old.KeyPEM !== '') {
    const signer = { certificatePEM: old.CertificatePEM, keyPEM: old.KeyPEM };
    return { ...rotation, CrossSignedPEM: await crossSign(signer, to.certificatePEM, asking.now_ms) };
  }
  const urls = externalURLs(config, old.CertificatePEM);
  if (to.keyPEM === '') {
    throw new ShoalError(
      'invalid-argument',
      'CAConfig.SigningCACert: rotating from one external CA to a different external CA is not supported: rotate to a root of your own, or a new one, in between',
    );
  }
  if (urls.length === 0) {
    throw new ShoalError(
      'invalid-argument',
      'CAConfig.ExternalCAs: must provide an external CA for the current external root CA to generate a cross-signed certificate',
    );
  }
  const { rootsPEM } = trustOf(old);
  return { ...rotation, CrossSignedPEM: await crossSignExternally(old.CertificatePEM, to, urls, rootsPEM, asking) };
}

/**
 * The cluster's root once the settings are these: a rotation begins when they name another root, or ask for a new one by a
 * ForceRotate that changed. Throws `invalid-argument` naming what is wrong with a root of the user's own, `unavailable` when the external
 * CA that has the old root's key does not vouch for the new one.
 */
export async function rootAfter({ RootCA: root }: FoundedCluster, config: CAConfig, asking: Asking): Promise<RootCA> {
  const { now_ms } = asking;
  if (config.SigningCACert === '') {
    if (config.SigningCAKey !== '') {
      throw new ShoalError(
        'invalid-argument',
        'CAConfig.SigningCAKey: needs the certificate that it belongs to (SigningCACert)',
      );
    }
    if (config.ForceRotate === root.ForcedRotations) return root;
    const Rotation = await towards(root, await createAuthority(now_ms), config, asking);
    return { ...root, Rotation, ForcedRotations: config.ForceRotate };
  }
  const ForcedRotations = config.ForceRotate;
  const asked = { certificatePEM: config.SigningCACert, keyPEM: config.SigningCAKey };
  if (root.Rotation !== null && sameRoot(root.Rotation.CertificatePEM, asked.certificatePEM)) return root;
  await checkRoot(asked, now_ms);
  // Back to the root that everybody trusts still.
  if (sameRoot(root.CertificatePEM, asked.certificatePEM)) return { ...root, Rotation: null, ForcedRotations };
  const isExternal = config.ExternalCAs.some(({ CACert }) => sameRoot(CACert, asked.certificatePEM));
  if (asked.keyPEM === '' && (!isExternal || externalURLs(config, asked.certificatePEM).length === 0)) {
    throw new ShoalError(
      'invalid-argument',
      'CAConfig.SigningCACert: needs its key (SigningCAKey), or an external CA with the same certificate (ExternalCAs[].CACert)',
    );
  }
  return { ...root, Rotation: await towards(root, asked, config, asking), ForcedRotations };
}

/** The cluster once every node has moved to the new root: nobody trusts the old one any more, and the join tokens name the new one. */
export function afterRotation(cluster: FoundedCluster, { CertificatePEM, KeyPEM }: RootRotation): ClusterInit {
  const RootCA = { ...cluster.RootCA, CertificatePEM, KeyPEM, Rotation: null };
  return {
    ...cluster,
    RootCA,
    RootRotationInProgress: false,
    TLSInfo: clusterTLSInfo(RootCA),
    JoinTokens: { Worker: newJoinToken(CertificatePEM), Manager: newJoinToken(CertificatePEM) },
  };
}
