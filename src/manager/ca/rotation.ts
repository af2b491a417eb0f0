import { ShoalError } from '../../model/errors.js';
import type { CAConfig, ClusterInit, RootCA, RootRotation } from '../../model/types.js';
import { checkRoot, createAuthority, crossSign } from '../../security/authority.js';
import { joinPEM } from '../../security/chain.js';
import { tlsInfoOf } from '../../security/tls-info.js';
import { newJoinToken } from '../../security/tokens.js';
import { externalURLs } from './signer.js';
import type { FoundedCluster } from './trust.js';

const sameRoot = (one: string, other: string) => joinPEM(one) === joinPEM(other);

async function towards(
  old: RootCA,
  to: { certificatePEM: string; keyPEM: string },
  now_ms: number,
): Promise<RootRotation> {
  if (old.KeyPEM === '') {
    throw new ShoalError(
      'not-supported',
      'CAConfig: the key of the present root is with an external CA, so that it cannot vouch for another root',
    );
  }
  const CrossSignedPEM = await crossSign(
    { certificatePEM: old.CertificatePEM, keyPEM: old.KeyPEM },
    to.certificatePEM,
    now_ms,
  );
  return { CertificatePEM: joinPEM(to.certificatePEM), KeyPEM: to.keyPEM, CrossSignedPEM };
}

/**
 * The cluster's root once the settings are these: a rotation begins when they name another root, or ask for a new one by a
 * ForceRotate that changed. Throws `invalid-argument` naming what is wrong with a root of the user's own.
 */
export async function rootAfter({ RootCA: root }: FoundedCluster, config: CAConfig, now_ms: number): Promise<RootCA> {
  if (config.SigningCACert === '') {
    if (config.SigningCAKey !== '') {
      throw new ShoalError(
        'invalid-argument',
        'CAConfig.SigningCAKey: needs the certificate that it belongs to (SigningCACert)',
      );
    }
    if (config.ForceRotate === root.ForcedRotations) return root;
    const Rotation = await towards(root, await createAuthority(now_ms), now_ms);
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
  return { ...root, Rotation: await towards(root, asked, now_ms), ForcedRotations };
}

/** The cluster once every node has moved to the new root: nobody trusts the old one any more, and the join tokens name the new one. */
export function afterRotation(cluster: FoundedCluster, { CertificatePEM, KeyPEM }: RootRotation): ClusterInit {
  return {
    ...cluster,
    RootCA: { ...cluster.RootCA, CertificatePEM, KeyPEM, Rotation: null },
    RootRotationInProgress: false,
    TLSInfo: tlsInfoOf(CertificatePEM),
    JoinTokens: { Worker: newJoinToken(CertificatePEM), Manager: newJoinToken(CertificatePEM) },
  };
}
