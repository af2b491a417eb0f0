import type * as grpc from '@grpc/grpc-js';

/** Who a node is, as its certificate says: CN node id, OU role, O cluster id. */
export interface Identity {
  nodeID: string;
  role: NodeRole;
  clusterID: string;
}
export type NodeRole = 'worker' | 'manager';

/** Who made a call. Every call that reaches a handler was checked: cluster, role for the service, and not removed. */
export type IdentityOf = (call: { getPeer(): string }) => Identity;

/** Where a part of the product mounts its services; they answer on the node's one cluster port. */
export interface ServiceHost {
  addService(definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation): void;
  removeService(definition: grpc.ServiceDefinition): void;
  readonly identityOf: IdentityOf;
}

/** How a node calls others: always with its certificate of the moment, and only nodes of its own cluster with the role asked for. */
export interface Dialer {
  /** Fresh credentials for one client. `role`: what the other end must be; absent: any node. `nodeID`: exactly that node. */
  credentials(expected?: { role?: NodeRole; nodeID?: string }): grpc.ChannelCredentials;
}
