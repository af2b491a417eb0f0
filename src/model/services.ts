import * as grpc from '@grpc/grpc-js';
import type protobuf from 'protobufjs';
import { modelRoot } from './codec.js';
import type * as model from './generated/index.js';
import { plainOfBytes } from './plain-reader.js';
import { bytesOfPlain } from './plain-writer.js';

/** The RPC services of proto/*.proto: client, handlers and methods by the service's name. */
export interface Services {
  Raft: {
    client: model.RaftClient;
    handlers: model.RaftHandlers;
    definition: model.RaftDefinition;
  };
  Dispatcher: {
    client: model.DispatcherClient;
    handlers: model.DispatcherHandlers;
    definition: model.DispatcherDefinition;
  };
  ManagerPeers: {
    client: model.ManagerPeersClient;
    handlers: model.ManagerPeersHandlers;
    definition: model.ManagerPeersDefinition;
  };
  CertificateAuthority: {
    client: model.CertificateAuthorityClient;
    handlers: model.CertificateAuthorityHandlers;
    definition: model.CertificateAuthorityDefinition;
  };
  Membership: {
    client: model.MembershipClient;
    handlers: model.MembershipHandlers;
    definition: model.MembershipDefinition;
  };
  Tunnel: {
    client: model.TunnelClient;
    handlers: model.TunnelHandlers;
    definition: model.TunnelDefinition;
  };
}
export type ServiceName = keyof Services;

function methodDefinition(service: protobuf.Service, method: protobuf.Method): grpc.MethodDefinition<object, object> {
  method.resolve();
  const coder = (type: protobuf.Type | null) => ({
    serialize: (value: object) => bytesOf(value, () => bytesOfPlain(type!, value)),
    deserialize: (bytes: Buffer) => plainOfBytes(type!, bytes),
  });
  const request = coder(method.resolvedRequestType);
  const response = coder(method.resolvedResponseType);
  return {
    path: `/${service.fullName.slice(1)}/${method.name}`,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
  };
}

/** Bytes of messages that go to many, once they have gone to one. */
const sharedBytes = new WeakMap<object, Buffer | undefined>();

/** Has a message that is sent to many put into bytes only once; nobody may write to it from now on. */
export function toMany<Message extends object>(message: Message): Message {
  sharedBytes.set(message, undefined);
  return message;
}

function bytesOf(message: object, encode: () => Buffer): Buffer {
  if (!sharedBytes.has(message)) return encode();
  const bytes = sharedBytes.get(message) ?? encode();
  sharedBytes.set(message, bytes);
  return bytes;
}

const definitions = new Map<ServiceName, grpc.ServiceDefinition>();

/** What `grpc.Server.addService` takes. Messages arrive whole: every default filled in, absent sub-messages null; of a `oneof` only the case that was sent is there. */
export function serviceDefinition(name: ServiceName): grpc.ServiceDefinition {
  let definition = definitions.get(name);
  if (definition === undefined) {
    const service = modelRoot().lookupService(`shoal.${name}`);
    definition = Object.fromEntries(
      service.methodsArray.map((method) => [method.name, methodDefinition(service, method)]),
    );
    definitions.set(name, definition);
  }
  return definition;
}

const constructors = new Map<ServiceName, grpc.ServiceClientConstructor>();

// What the listener takes as well: a Raft batch, or all that a node is assigned, secrets and configs included. The default is 4 MiB.
const message_bytes_max = 64 * 1024 * 1024;

/**
 * Nodes reach each other without the proxy that `http_proxy` names: that is the machine's way to the web, and gRPC would ask it for
 * connections to the cluster port.
 */
export const noProxy: grpc.ChannelOptions = { 'grpc.enable_http_proxy': 0 };

/** A client of a service at `address` (host:port). The caller closes it. */
export function serviceClient<N extends ServiceName>(
  name: N,
  address: string,
  credentials: grpc.ChannelCredentials,
  options: grpc.ClientOptions = {},
): Services[N]['client'] {
  let Constructor = constructors.get(name);
  if (Constructor === undefined) {
    Constructor = grpc.makeClientConstructor(serviceDefinition(name), name);
    constructors.set(name, Constructor);
  }
  const limits = { 'grpc.max_receive_message_length': message_bytes_max };
  return new Constructor(address, credentials, {
    ...noProxy,
    ...limits,
    ...options,
  }) as unknown as Services[N]['client'];
}
