import * as grpc from '@grpc/grpc-js';
import { messageOf, ShoalError } from '../model/errors.js';
import { isForManagers, mayCall } from './access.js';
import type { BoundedWarnings } from './bounded-warnings.js';
import type { Connection, Connections } from './connections.js';
import type { Credentials } from './credentials.js';
import type { Identity, IdentityOf } from './identity.js';
import { statusOf } from './rpc.js';

/** Every call is checked when it begins: who makes it, whether the role allows it, whether the node is still welcome. */
export class CallChecks {
  readonly #callers = new WeakMap<grpc.Metadata, Identity>();

  constructor(
    private readonly connections: Connections,
    private readonly credentials: Credentials,
    private readonly warnings: BoundedWarnings,
  ) {}

  /** What a gRPC server is given as its interceptor. */
  readonly intercept: grpc.ServerInterceptor = (method, call) => this.#checked(method.path, call);

  readonly identityOf: IdentityOf = (call) => {
    const identity = this.#callers.get(call.metadata);
    if (identity === undefined) throw new ShoalError('unauthorized', 'the caller has no certificate');
    return identity;
  };

  #checked(path: string, call: grpc.ServerInterceptingCallInterface): grpc.ServerInterceptingCall {
    let ended = () => {};
    return new grpc.ServerInterceptingCall(call, {
      sendStatus: (status, next) => {
        ended();
        next(status);
      },
      start: (next) =>
        next({
          onCancel: () => ended(),
          onReceiveMetadata: (metadata, proceed) => {
            try {
              const { managerCalls } = this.#admit(path, call, metadata);
              if (isForManagers(path)) managerCalls.add(call);
              ended = () => managerCalls.delete(call);
            } catch (error) {
              this.warnings.warn('call refused', { from: call.getPeer(), path, reason: messageOf(error) });
              call.sendStatus(statusOf(error));
              return;
            }
            proceed(metadata);
          },
        }),
    });
  }

  #admit(path: string, call: grpc.ServerInterceptingCallInterface, metadata: grpc.Metadata): Connection {
    const connection = this.connections.of(call.getConnectionInfo());
    if (connection === undefined) throw new ShoalError('unauthorized', 'the connection is gone');
    const { identity, expires_ms } = connection;
    if (!mayCall(identity?.role ?? 'nobody', path)) {
      throw new ShoalError(
        'forbidden',
        `${path} is not for ${identity === undefined ? 'callers without a certificate' : `a ${identity.role}`}`,
      );
    }
    if (identity === undefined) return connection;
    const invalid = this.connections.invalid(identity, expires_ms);
    if (invalid !== undefined) throw new ShoalError('unauthorized', invalid);
    const { guard } = this.credentials;
    const removal = guard.removal(identity);
    if (removal !== undefined) throw new ShoalError('node-removed', removal);
    const demotion = isForManagers(path) ? guard.demotion(identity) : undefined;
    if (demotion !== undefined) throw new ShoalError('forbidden', demotion);
    this.#callers.set(metadata, identity);
    return connection;
  }
}
