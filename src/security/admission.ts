import { createSecureContext } from 'node:tls';
import { ShoalError } from '../model/errors.js';
import type { IssuedCertificate } from '../model/types.js';
import { backdate_ms, createSigningRequest } from './authority.js';
import { Credentials, type Material } from './credentials.js';
import { type Dialer, type Identity, identityFrom, type Subject } from './identity.js';
import { LiveCredentials } from './live-credentials.js';
import { callOnce } from './rpc.js';
import { parseJoinToken, rootDigest } from './tokens.js';

const timeout_ms = 10_000;

/** The root certificate that a manager shows to anyone; nothing of it is trusted before its digest was compared. */
async function fetchRoot(address: string): Promise<string> {
  const context = createSecureContext({ minVersion: 'TLSv1.3' });
  const credentials = new LiveCredentials({ context: () => context, refusal: () => undefined, verified: false });
  const answer = await callOnce('CertificateAuthority', 'GetRoot', address, {}, { credentials, timeout_ms });
  return answer.RootCertificatePEM;
}

function refusalOfNonManager(certificate: { subject: unknown }): Error | undefined {
  try {
    const { role } = identityFrom(certificate.subject as Subject);
    return role === 'manager' ? undefined : new Error('the other end is not a manager');
  } catch (error) {
    return error as Error;
  }
}

/** Key and certificate put together. Throws `unauthorized` when they are not for the key that was made, or for another role or id. */
function accept(issued: IssuedCertificate, keyPEM: string, rootPEM: string, expected: Partial<Identity>): Material {
  const material = { keyPEM, certificatePEM: issued.CertificatePEM, rootPEM };
  const { identity } = new Credentials(material); // checks that key, certificate and root belong together
  for (const field of ['nodeID', 'role', 'clusterID'] as const) {
    if (expected[field] !== undefined && expected[field] !== identity[field]) {
      throw new ShoalError('unauthorized', `the manager gave a certificate for another ${field}: ${identity[field]}`);
    }
  }
  return material;
}

/**
 * Joins a cluster with a token, through the manager at `address` (host:port). An impostor, whose root the token does not name, is
 * refused before anything is shown to it. Throws the manager's own refusal, `unavailable`, or `invalid-argument` on a token that is none.
 */
export async function joinCluster(
  address: string,
  token: string,
  availability: string,
): Promise<{ material: Material; identity: Identity }> {
  const expected = parseJoinToken(token).rootDigest;
  const rootPEM = await fetchRoot(address);
  let digest = '';
  try {
    digest = rootDigest(rootPEM);
  } catch {
    // No certificate at all: it cannot be the one that the token names.
  }
  if (digest !== expected) {
    throw new ShoalError(
      'invalid-argument',
      `remote CA does not match fingerprint. Expected: ${expected}; ${address} shows: ${digest || 'no certificate'}`,
    );
  }
  const { requestPEM, keyPEM } = await createSigningRequest();
  const context = createSecureContext({ minVersion: 'TLSv1.3', ca: rootPEM });
  const credentials = new LiveCredentials({ context: () => context, refusal: refusalOfNonManager, verified: true });
  const request = { Token: token, SigningRequestPEM: requestPEM, Availability: availability };
  const issued = await callOnce('CertificateAuthority', 'Join', address, request, { credentials, timeout_ms });
  const material = accept(issued, keyPEM, issued.RootCertificatePEM || rootPEM, {});
  return { material, identity: new Credentials(material).identity };
}

/** A new key and certificate for a node that has one, from the manager at `address`. Its role is what the cluster says now. */
export async function renewCertificate(dialer: Dialer, current: Credentials, address: string): Promise<Material> {
  const { requestPEM, keyPEM } = await createSigningRequest();
  const credentials = dialer.credentials({ role: 'manager' });
  const request = { SigningRequestPEM: requestPEM };
  const issued = await callOnce('CertificateAuthority', 'Renew', address, request, { credentials, timeout_ms });
  const { nodeID, clusterID } = current.identity;
  return accept(issued, keyPEM, issued.RootCertificatePEM || current.material.rootPEM, { nodeID, clusterID });
}

/** When a certificate is to be renewed: somewhere from 50 to 80 % of its life (Docker's), so that not all nodes come at once. */
export function renewalTime(validity: { from_ms: number; to_ms: number }, fraction: number): number {
  const made_ms = Math.min(validity.from_ms + backdate_ms, validity.to_ms);
  return made_ms + (validity.to_ms - made_ms) * (0.5 + 0.3 * fraction);
}
