import type * as grpc from '@grpc/grpc-js';
import { ShoalError } from '../model/errors.js';
import { isID } from '../model/ids.js';

export type NodeRole = 'worker' | 'manager';

/** Who a node is, as its certificate says: CN node id, OU role, O cluster id. */
export interface Identity {
  nodeID: string;
  role: NodeRole;
  clusterID: string;
  /** The entry of the managers' log as of which this was so: who knows that entry or a later one knows better than the certificate. */
  asOf: number;
}

/**
 * What is known of nodes beyond their certificates, which stay valid for months: on a manager from the replicated state, on a worker
 * from what managers last said.
 */
export interface Guard {
  /** Why the node is neither served nor called: it was removed. Undefined when it is welcome. */
  removal(identity: Identity): string | undefined;
  /** Why the node does not count as the manager that its certificate says it is. */
  demotion(identity: Identity): string | undefined;
}

/** Takes every certificate at its word. */
export const noGuard: Guard = { removal: () => undefined, demotion: () => undefined };

/** Whose manager's certificates count, as of an entry of the managers' log. */
export interface Roster {
  asOf: number;
  isManager(nodeID: string): boolean;
}

/** A manager's certificate counts when its node is on the roster, or when it was given after the roster was made. */
export function demotionOf(identity: Identity, roster: Roster): string | undefined {
  if (identity.role !== 'manager' || identity.asOf > roster.asOf || roster.isManager(identity.nodeID)) return undefined;
  return `node ${identity.nodeID} is not a manager any more`;
}

/** Who made a call. Every call that reaches a handler was checked: cluster, role for the service, and not removed. */
export type IdentityOf = (call: { metadata: grpc.Metadata }) => Identity;

/** Where a part of the product mounts its services; they answer on the node's one cluster port. */
export interface ServiceHost {
  addService(definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation): void;
  removeService(definition: grpc.ServiceDefinition): void;
  readonly identityOf: IdentityOf;
}

/** What the other end of a connection must be. Absent fields are not asked for; the cluster always must be our own. */
export interface Expected {
  role?: NodeRole;
  nodeID?: string;
}

/** How a node calls others: always with its certificate of the moment, and only nodes of its own cluster that are what is expected. */
export interface Dialer {
  /** Fresh credentials for one client: connections made with them are not shared with other clients. */
  credentials(expected?: Expected): grpc.ChannelCredentials;
}

/** Docker's names of the roles in certificates. */
const roleNames: ReadonlyMap<string, NodeRole> = new Map([
  ['swarm-worker', 'worker'],
  ['swarm-manager', 'manager'],
]);

export function certificateRole(role: NodeRole): string {
  return `swarm-${role}`;
}

/** A certificate's subject, as Node's TLS gives it: repeated attributes are arrays, absent ones are missing. */
export interface Subject {
  CN?: string | string[];
  OU?: string | string[];
  O?: string | string[];
}

/** The alternative name that carries `Identity.asOf`. */
export function entryName(asOf: number): string {
  return `entry-${asOf}`;
}

/** The identity in a certificate that was already found to be signed by the cluster's root. Throws `unauthorized` when it is not a node's. `altNames` as Node writes them, `DNS:a, DNS:b`. */
export function identityFrom(subject: Subject | undefined, altNames = ''): Identity {
  const { CN, OU, O } = subject ?? {};
  const role = typeof OU === 'string' ? roleNames.get(OU) : undefined;
  if (typeof CN !== 'string' || !isID(CN)) {
    throw new ShoalError('unauthorized', 'certificate: the common name is not one node id');
  }
  if (role === undefined) {
    throw new ShoalError(
      'unauthorized',
      'certificate: the organisational unit is neither swarm-manager nor swarm-worker',
    );
  }
  if (typeof O !== 'string' || !isID(O)) {
    throw new ShoalError('unauthorized', 'certificate: the organisation is not one cluster id');
  }
  const asOf = Number(/(?:^|, )DNS:entry-(\d{1,15})(?:,|$)/.exec(altNames)?.[1] ?? 0);
  return { nodeID: CN, role, clusterID: O, asOf };
}
