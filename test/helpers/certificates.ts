import { type Authority, createSigningRequest, signNodeCertificate } from '../../src/security/authority.js';
import type { Material } from '../../src/security/credentials.js';
import type { NodeRole } from '../../src/security/identity.js';

export const clusterID = 'cluster00000000000000000a';
export const nodeID = (number: number) => `node${String(number).padStart(21, '0')}`;

const day_ms = 24 * 3600 * 1000;

/** Key, certificate and root of a node, as a manager would have given it. */
export async function materialFor(
  authority: Authority,
  id: string,
  role: NodeRole,
  { cluster = clusterID, now_ms = Date.now(), expiry_ms = 90 * day_ms, asOf = 0 } = {},
): Promise<Material> {
  const { requestPEM, keyPEM } = await createSigningRequest();
  const identity = { nodeID: id, role, clusterID: cluster, asOf };
  const certificatePEM = await signNodeCertificate(authority, requestPEM, identity, { now_ms, expiry_ms });
  return { keyPEM, certificatePEM, rootPEM: authority.certificatePEM };
}
