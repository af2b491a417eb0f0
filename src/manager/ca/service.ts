import type { Logger } from 'winston';
import type { Clock } from '../../model/clock.js';
import { timestamp } from '../../model/clock.js';
import { messageOf, ShoalError } from '../../model/errors.js';
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
import { requestedPublicKey } from '../../security/authority.js';
import type { Caller } from '../../security/external-ca.js';
import type { Identity, IdentityOf, NodeRole } from '../../security/identity.js';
import { unary } from '../../security/rpc.js';
import { sameToken } from '../../security/tokens.js';
import type { Replicated } from '../reader.js';
import { retried } from '../retried.js';
import { issueCertificate, type Validity } from './signer.js';
import { type FoundedCluster, founded, trustOf } from './trust.js';

export interface AuthorityParts {
  store: Replicated;
  identityOf: IdentityOf;
  /** How this manager shows itself to an external CA. */
  showing: () => Caller;
  /** Whether the node still is a member of the managers' Raft group: such a node keeps its manager certificate. */
  isRaftMember: (nodeID: string) => boolean;
  clock: Clock;
  random: Random;
  log: Logger;
}

const endOf = ({ now_ms, expiry_ms }: Validity) => new Date(now_ms + expiry_ms).toISOString();

const availabilities = ['active', 'pause', 'drain'];
const defaultExpiry_ms = 90 * 24 * 3600 * 1000;

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
  const { store, identityOf, showing, isRaftMember, clock, random, log } = parts;

  /** A certificate for what the node is as of entry `asOf`. */
  async function issue(
    cluster: FoundedCluster,
    requestPEM: string,
    who: Omit<Identity, 'clusterID'>,
    validity: Validity,
  ) {
    const identity = { ...who, clusterID: cluster.ID };
    if ((cluster.Spec?.CAConfig?.ExternalCAs.length ?? 0) > 0 && trustOf(cluster.RootCA).signer.isOwn) {
      log.warn(
        'signed here, by the root that the cluster made itself: external CAs sign once it has theirs (swarm ca)',
      );
    }
    const issued: IssuedCertificateInit = {
      NodeID: who.nodeID,
      Role: who.role,
      ClusterID: cluster.ID,
      CertificatePEM: await issueCertificate(cluster, requestPEM, identity, validity, showing()),
      RootCertificatePEM: trustOf(cluster.RootCA).rootsPEM,
    };
    return issued;
  }

  const renewing = new Set<string>();
  const validityIn = (cluster: Cluster): Validity => ({ now_ms: clock.now(), expiry_ms: expiryOf(cluster) });

  /** A node that shows a token becomes an object of the cluster and gets its certificate. */
  async function join({ Token, SigningRequestPEM, Availability }: JoinRequest): Promise<IssuedCertificateInit> {
    if (Availability !== '' && !availabilities.includes(Availability)) {
      throw new ShoalError('invalid-argument', `Availability: "${Availability}" is none of active, pause, drain`);
    }
    const cluster = founded((await store.read()).cluster());
    const role = roleOf(Token, cluster);
    await requestedPublicKey(SigningRequestPEM); // before anything is made of it
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
    const who = { nodeID, role, asOf: index };
    const issued = await issue(cluster, SigningRequestPEM, who, validity).catch(async (error) => {
      await withdraw(nodeID);
      throw error;
    });
    log.info('a node joined', { node: nodeID, role });
    return issued;
  }

  /** A node that could not be certified was none. */
  async function withdraw(nodeID: string): Promise<void> {
    const Operations = [{ Action: 'remove', Kind: 'Node', ID: nodeID }];
    await store.propose({ Origin: 'ca', Time: timestamp(clock), Operations }).catch((error) => {
      log.warn('a node that could not join was left behind', { node: nodeID, reason: messageOf(error) });
    });
  }

  /** A node gets a new certificate for its own id, in the role that the store says. */
  async function renew(nodeID: string, requestPEM: string): Promise<IssuedCertificateInit> {
    const view = await store.read();
    const asOf = view.index;
    const cluster = founded(view.cluster());
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

  /** Each is an entry of Raft's log and a signature, or a call of an external CA: a node can have one on its way, not a flood. */
  async function renewOnce(nodeID: string, requestPEM: string): Promise<IssuedCertificateInit> {
    if (renewing.has(nodeID)) {
      throw new ShoalError('overloaded', `node ${nodeID}: another certificate for it is being signed`);
    }
    renewing.add(nodeID);
    try {
      return await retried(() => renew(nodeID, requestPEM));
    } finally {
      renewing.delete(nodeID);
    }
  }

  return {
    GetRoot: unary(async () => {
      const cluster = founded((await store.read()).cluster());
      return { RootCertificatePEM: trustOf(cluster.RootCA).rootPEM };
    }),
    Join: unary((request) => retried(() => join(request))),
    Renew: unary((request, call) => renewOnce(identityOf(call).nodeID, request.SigningRequestPEM)),
  };
}
