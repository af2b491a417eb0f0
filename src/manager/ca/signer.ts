import { X509Certificate } from 'node:crypto';
import { ShoalError } from '../../model/errors.js';
import type { CAConfig } from '../../model/types.js';
import { requestedPublicKey, signNodeCertificate } from '../../security/authority.js';
import { certificatesIn, issuerIn, joinPEM, publicKeyOf, samePEM } from '../../security/chain.js';
import { subjectOf } from '../../security/credentials.js';
import { type Caller, signExternally, signRequestFor } from '../../security/external-ca.js';
import { type Identity, identityFrom } from '../../security/identity.js';
import { type FoundedCluster, type Signer, trustOf } from './trust.js';

export interface Validity {
  now_ms: number;
  expiry_ms: number;
}

/**
 * The external CAs that sign for this root: those that name it, and those that name none. For a root that the cluster made itself that
 * is none of them, whatever they name: Docker's client lets them name the root of the moment.
 */
export function externalURLs(config: CAConfig | null | undefined, { certificatePEM, isOwn }: Signer): string[] {
  if (isOwn) return [];
  const ofRoot = (config?.ExternalCAs ?? []).filter(({ CACert }) => CACert === '' || samePEM(CACert, certificatePEM));
  return ofRoot.map(({ URL }) => URL);
}

/** Throws `internal` when what an external CA has signed is not what was asked for. */
async function checkIssued(
  certificatePEM: string,
  requestPEM: string,
  identity: Identity,
  rootPEM: string,
): Promise<void> {
  const chain = certificatesIn(certificatePEM);
  const leaf = chain[0]!;
  const is = identityFrom(subjectOf(leaf), leaf.subjectAltName);
  const wrong =
    publicKeyOf(leaf) !== (await requestedPublicKey(requestPEM))
      ? 'is for another key'
      : is.nodeID !== identity.nodeID || is.role !== identity.role || is.clusterID !== identity.clusterID
        ? 'is for another node, role or cluster'
        : issuerIn([leaf], [new X509Certificate(rootPEM)]) === undefined
          ? "is not from the cluster's root"
          : leaf.ca
            ? 'is that of a CA'
            : undefined;
  if (wrong !== undefined) throw new ShoalError('internal', `the certificate that the external CA has signed ${wrong}`);
}

/**
 * A certificate for a node, with what leads from it to the root that everybody trusts: from an external CA when the cluster has one,
 * else signed here. The first manager has no certificate yet to call with. Throws `invalid-argument` on a bad request, `unavailable`
 * when nobody can sign.
 */
export async function issueCertificate(
  cluster: Pick<FoundedCluster, 'RootCA' | 'Spec'>,
  requestPEM: string,
  identity: Identity,
  validity: Validity,
  caller?: Caller,
): Promise<string> {
  const { signer, betweenPEM, rootsPEM } = trustOf(cluster.RootCA);
  const urls = externalURLs(cluster.Spec?.CAConfig, signer);
  if (urls.length > 0) {
    const body = signRequestFor(requestPEM, identity);
    const certificatePEM = await signExternally(urls, body, caller, rootsPEM);
    await checkIssued(certificatePEM, requestPEM, identity, signer.certificatePEM);
    return joinPEM(certificatesIn(certificatePEM)[0]!.toString(), betweenPEM);
  }
  if (signer.keyPEM === '') {
    throw new ShoalError(
      'unavailable',
      "nobody can sign certificates: the root's key is not here, and there is no external CA",
    );
  }
  return joinPEM(await signNodeCertificate(signer, requestPEM, identity, validity), betweenPEM);
}
