import type { PeerCertificate, SecureContext } from 'node:tls';
import * as grpc from '@grpc/grpc-js';

type Connector = ReturnType<grpc.ChannelCredentials['_createSecureConnector']>;
type ConnectorArguments = Parameters<grpc.ChannelCredentials['_createSecureConnector']>;

export interface Trust {
  /** The context to use for the connection that is being made. */
  context: () => SecureContext;
  /** Why the other end is not to be talked to; undefined when it is. */
  refusal: (certificate: PeerCertificate) => Error | undefined;
  /** Whether the other end's certificate must come from the context's roots. */
  verified: boolean;
}

/**
 * Channel credentials that take the certificate of the moment for each new connection, and that no two clients share:
 * grpc-js would otherwise let clients that expect different things, or had different roles, use one connection.
 */
export class LiveCredentials extends grpc.ChannelCredentials {
  readonly #trust: Trust;

  constructor(trust: Trust) {
    super();
    this.#trust = trust;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...[target, options, callCredentials]: ConnectorArguments): Connector {
    const { context, refusal, verified } = this.#trust;
    // A node is known by its certificate, not by the address we reached it at; TLS wants a name all the same.
    const named = { ...options, 'grpc.ssl_target_name_override': 'swarm-node' };
    return {
      connect: (socket) =>
        grpc.ChannelCredentials.createFromSecureContext(context(), {
          checkServerIdentity: (_host, certificate) => refusal(certificate),
          rejectUnauthorized: verified,
        })
          ._createSecureConnector(target, named, callCredentials)
          .connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials ?? grpc.CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }
}
