import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { ShoalError } from '../../model/errors.js';
import { newID } from '../../model/ids.js';
import type { Random } from '../../model/random.js';
import type {
  CertificateAuthorityHandlers,
  Cluster,
  IssuedCertificateInit,
  JoinRequest,
  Node,
  NodeInit,
} from '../../model/types.js';
import { checkSigningRequest, signNodeCertificate } from '../../security/authority.js';
import type { Identity, IdentityOf, NodeRole } from '../../security/identity.js';
import { unary } from '../../security/rpc.js';
import { sameToken } from '../../security/tokens.js';
import type { Replicated } from '../reader.js';
import { retried } from '../retried.js';

export interface AuthorityParts {
  store: Replicated;
  identityOf: IdentityOf;
  /** Whether the node still is a member of the managers' Raft group: such a node keeps its manager certificate. */
  isRaftMember: (nodeID: string) => boolean;
  clock: Clock;
  random: Random;
  log: Logger;
}

interface Validity {
  now_ms: number;
  expiry_ms: number;
}

const endOf = ({ now_ms, expiry_ms }: Validity) => new Date(now_ms + expiry_ms).toISOString();

const availabilities = ['active', 'pause', 'drain'];
const defaultExpiry_ms = 90 * 24 * 3600 * 1000;

function clusterOf(cluster: Cluster | undefined): Cluster & { RootCA: NonNullable<Cluster['RootCA']> } {
  if (cluster?.RootCA == null) throw new ShoalError('unavailable', 'the cluster is not initialised yet');
  return cluster as Cluster & { RootCA: NonNullable<Cluster['RootCA']> };
}

/** Which role a join token stands for. Throws Docker's refusal when it is not one of the cluster's. */
function roleOf(token: string, cluster: Cluster): NodeRole {
  const isManager = sameToken(token, cluster.JoinTokens?.Manager ?? '');
  const isWorker = sameToken(token, cluster.JoinTokens?.Worker ?? '');
  if (isManager) return 'manager';
  if (isWorker) return 'worker';
  throw new ShoalError('invalid-argument', 'A valid join token is necessary to join this cluster');
}

function expiryOf(cluster: Cluster): number {
  const nanoseconds = cluster.Spec?.CAConfig?.NodeCertExpiry ?? 0;
  return nanoseconds > 0 ? nanoseconds / 1e6 : defaultExpiry_ms;
}

/** The certificate authority's service on every manager: the signing key is part of the replicated state. */
export function certificateAuthority(parts: AuthorityParts): CertificateAuthorityHandlers {
  const { store, identityOf, isRaftMember, clock, random, log } = parts;

  /** A certificate for what the node is as of entry `asOf`. */
  async function issue(cluster: Cluster, requestPEM: string, who: Omit<Identity, 'clusterID'>, validity: Validity) {
    const { RootCA, ID: clusterID } = clusterOf(cluster);
    const authority = { certificatePEM: RootCA.CertificatePEM, keyPEM: RootCA.KeyPEM };
    const CertificatePEM = await signNodeCertificate(authority, requestPEM, { ...who, clusterID }, validity);
    const issued: IssuedCertificateInit = {
      NodeID: who.nodeID,
      Role: who.role,
      ClusterID: clusterID,
      CertificatePEM,
      RootCertificatePEM: authority.certificatePEM,
    };
    return issued;
  }

  const validityIn = (cluster: Cluster): Validity => ({ now_ms: clock.now(), expiry_ms: expiryOf(cluster) });

  /** A node that shows a token becomes an object of the cluster and gets its certificate. */
  async function join({ Token, SigningRequestPEM, Availability }: JoinRequest): Promise<IssuedCertificateInit> {
    if (Availability !== '' && !availabilities.includes(Availability)) {
      throw new ShoalError('invalid-argument', `Availability: "${Availability}" is none of active, pause, drain`);
    }
    const cluster = clusterOf((await store.read()).cluster());
    const role = roleOf(Token, cluster);
    await checkSigningRequest(SigningRequestPEM);
    const nodeID = newID(random);
    const validity = validityIn(cluster);
    const node: NodeInit = {
      ID: nodeID,
      Spec: { Role: role, Availability: Availability || 'active', Labels: {} },
      Status: { State: 'unknown' },
      CertificateRole: role,
      CertificateExpiry: endOf(validity),
    };
    const { index } = await store.propose({
      Origin: 'ca',
      Time: timestamp(clock),
      Operations: [
        // A token that is rotated in this moment must not admit anybody any more.
        { Action: 'check', Kind: 'Cluster', ID: cluster.ID, ExpectedVersion: cluster.Version?.Index ?? 0 },
        { Action: 'create', ID: nodeID, Node: node },
      ],
    });
    // Signed only now: who has seen the entry that the certificate names must find the node in the state.
    const issued = await issue(cluster, SigningRequestPEM, { nodeID, role, asOf: index }, validity);
    log.info('a node joined', { node: nodeID, role });
    return issued;
  }

  /** A node gets a new certificate for its own id, in the role that the store says. */
  async function renew(nodeID: string, requestPEM: string): Promise<IssuedCertificateInit> {
    const view = await store.read();
    const asOf = view.index;
    const cluster = clusterOf(view.cluster());
    const node = view.get('Node', nodeID);
    if (node === undefined) throw new ShoalError('unauthorized', `node ${nodeID} is not part of the cluster`);
    const role: NodeRole = node.Spec?.Role === 'manager' ? 'manager' : 'worker';
    if (role === 'worker' && isRaftMember(nodeID)) {
      throw new ShoalError('failed-precondition', `node ${nodeID} is being demoted and still counts for the quorum`);
    }
    const validity = validityIn(cluster);
    const issued = await issue(cluster, requestPEM, { nodeID, role, asOf }, validity);
    const renewed: Node = { ...node, CertificateRole: role, CertificateExpiry: endOf(validity) };
    await store.propose({
      Origin: 'ca',
      Time: timestamp(clock),
      Operations: [{ Action: 'update', ID: nodeID, ExpectedVersion: node.Version?.Index ?? 0, Node: renewed }],
    });
    log.info('a certificate was renewed', { node: nodeID, role });
    return issued;
  }

  return {
    GetRoot: unary(async () => {
      const cluster = clusterOf((await store.read()).cluster());
      return { RootCertificatePEM: cluster.RootCA.CertificatePEM };
    }),
    Join: unary((request) => retried(() => join(request))),
    Renew: unary((request, call) => retried(() => renew(identityOf(call).nodeID, request.SigningRequestPEM))),
  };
}
