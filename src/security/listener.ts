import type { Socket } from 'node:net';
import { createServer, type Server as TLSServer, type TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { isForManagers, mayCall } from './access.js';
import type { Credentials } from './credentials.js';
import {
  type Guard,
  type Identity,
  type IdentityOf,
  identityFrom,
  type ServiceHost,
  type Subject,
} from './identity.js';
import { statusOf } from './rpc.js';

export interface ListenerOptions {
  credentials: Credentials;
  clock: Clock;
  log: Logger;
  /** Milliseconds a connection may take for its TLS handshake. */
  handshake_ms?: number;
  /** Open connections of nodes; more wait for the system's queue. */
  connectionsMax?: number;
  /** Connections that have not shown who they are yet; above it the one that is silent longest goes. */
  handshakesMax?: number;
  /** Open connections without a certificate, and how long each may last. */
  strangersMax?: number;
  stranger_ms?: number;
}

interface Connection {
  socket: TLSSocket;
  identity?: Identity; // absent of a stranger
  isBrief: boolean; // of a stranger, or of a node that the guard refuses: counted and short, only good for being told why
  expires_ms: number; // of its certificate
  managerCalls: Set<object>; // open calls of what only managers may call
}

const messageBytesMax = 64 * 1024 * 1024; // a Raft batch or a full set of assignments with its secrets
const strangerBytesMax = 64 * 1024;
const warningsPerWindow = 20;
const window_ms = 10_000;

/**
 * The node's cluster port: one TLS 1.3 listener for all gRPC services. A connection with a certificate of the cluster may call
 * what its role allows; one without may only ask to join; one with any other certificate, or that is no TLS at all, is cut off.
 */
export class ClusterListener implements ServiceHost {
  readonly #options: Required<ListenerOptions>;
  readonly #tls: TLSServer;
  readonly #nodes: grpc.Server;
  readonly #strangers: grpc.Server;
  readonly #toNodes: grpc.ConnectionInjector;
  readonly #toStrangers: grpc.ConnectionInjector;
  readonly #connections = new Map<string, Connection>();
  /** Everything that is open, from before its handshake on. */
  readonly #sockets = new Set<Socket>();
  readonly #handshaking = new Map<string, Socket>();
  readonly #callers = new WeakMap<grpc.Metadata, Identity>();
  readonly #stopWatching: () => void;
  #briefOpen = 0;
  #warnings = { since_ms: 0, count: 0 };

  constructor(options: ListenerOptions) {
    this.#options = {
      handshake_ms: 5_000,
      handshakesMax: 512,
      connectionsMax: 4_096,
      strangersMax: 128,
      stranger_ms: 30_000,
      ...options,
    };
    const { credentials, log } = options;
    this.#nodes = new grpc.Server({
      interceptors: [(method, call) => this.#checked(method.path, call)],
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.max_send_message_length': messageBytesMax,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 10_000,
    });
    this.#strangers = new grpc.Server({
      interceptors: [(method, call) => this.#checked(method.path, call)],
      'grpc.max_receive_message_length': strangerBytesMax,
      'grpc.max_concurrent_streams': 4,
    });
    this.#toNodes = this.#nodes.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.#toStrangers = this.#strangers.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.#tls = createServer({
      ...this.#tlsMaterial(),
      requestCert: true,
      rejectUnauthorized: false, // strangers come without; what is not right is cut off below
      ALPNProtocols: ['h2'],
      handshakeTimeout: this.#options.handshake_ms,
    });
    this.#tls.maxConnections = this.#options.connectionsMax;
    this.#tls.on('connection', (socket) => {
      this.#sockets.add(socket);
      const key = keyOf(socket);
      this.#handshaking.set(key, socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        if (this.#handshaking.get(key) === socket) this.#handshaking.delete(key);
      });
      if (this.#handshaking.size <= this.#options.handshakesMax) return;
      const [oldest] = this.#handshaking.values(); // a node's handshake takes milliseconds: it is not among them
      oldest?.destroy();
    });
    this.#tls.on('secureConnection', (socket) => {
      this.#handshaking.delete(keyOf(socket));
      this.#welcome(socket);
    });
    this.#tls.on('tlsClientError', (error, socket) => {
      const details = { from: socket.remoteAddress, reason: messageOf(error) };
      // Who hangs up without a word only looked whether the port is there, as a joining node does.
      if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') log.debug('no TLS handshake', details);
      else this.#warn('no TLS handshake', details);
      socket.destroy();
    });
    this.#stopWatching = credentials.onSwap(() => this.#tls.setSecureContext(this.#tlsMaterial()));
  }

  #tlsMaterial() {
    const { keyPEM: key, certificatePEM: cert, rootPEM: ca } = this.#options.credentials.material;
    return { key, cert, ca, minVersion: 'TLSv1.3' as const };
  }

  /** Starts to listen. Throws `invalid-argument` when the address cannot be had. Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        const reason = messageOf(error);
        reject(new ShoalError('invalid-argument', `cannot listen on ${host}:${port}: ${reason}`, { cause: error }));
      };
      this.#tls.once('error', failed);
      this.#tls.listen({ host, port }, () => {
        this.#tls.off('error', failed);
        this.#tls.on('error', (error) => this.#options.log.error('cluster port', { reason: messageOf(error) }));
        const address = this.#tls.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  addService(definition: grpc.ServiceDefinition, handlers: grpc.UntypedServiceImplementation): void {
    this.#nodes.addService(definition, handlers);
    const open = Object.fromEntries(Object.entries(definition).filter(([, { path }]) => mayCall('nobody', path)));
    if (Object.keys(open).length > 0) this.#strangers.addService(open, handlers);
  }

  removeService(definition: grpc.ServiceDefinition): void {
    this.#nodes.removeService(definition);
    this.#strangers.removeService(definition);
  }

  readonly identityOf: IdentityOf = (call) => {
    const identity = this.#callers.get(call.metadata);
    if (identity === undefined) throw new ShoalError('unauthorized', 'the caller has no certificate');
    return identity;
  };

  get #guard(): Guard {
    return this.#options.credentials.guard;
  }

  /**
   * From now on nodes that the guard refuses are neither served nor called; their open connections are cut at once. The result puts
   * the guard before it in place again.
   */
  setGuard(guard: Guard): () => void {
    const restore = this.#options.credentials.setGuard(guard);
    this.recheck();
    return restore;
  }

  /**
   * Cuts the connections of nodes that were removed by now, of certificates that have ended, and those on which a node that is not
   * a manager any more has calls open that only managers may make.
   */
  recheck(): void {
    for (const { socket, identity, isBrief, expires_ms, managerCalls } of this.#connections.values()) {
      if (identity === undefined || isBrief) continue;
      const refusal =
        this.#invalid(identity, expires_ms) ??
        this.#guard.removal(identity) ??
        (managerCalls.size > 0 ? this.#guard.demotion(identity) : undefined);
      if (refusal === undefined) continue;
      this.#warn('connection cut', { node: identity.nodeID, from: socket.remoteAddress, reason: refusal });
      socket.destroy();
    }
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    this.#stopWatching();
    const closed = new Promise<void>((resolve) => this.#tls.close(() => resolve()));
    this.#toNodes.destroy();
    this.#toStrangers.destroy();
    this.#nodes.forceShutdown();
    this.#strangers.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #welcome(socket: TLSSocket): void {
    socket.on('error', (error) => this.#options.log.debug('connection failed', { reason: messageOf(error) }));
    try {
      const connection = this.#judge(socket);
      this.#keep(connection);
      (connection.identity === undefined ? this.#toStrangers : this.#toNodes).injectConnection(socket);
    } catch (error) {
      this.#warn('connection refused', { from: socket.remoteAddress, reason: messageOf(error) });
      socket.destroy();
    }
  }

  /** Whose connection it is. Throws `unauthorized` when it is to be cut off. */
  #judge(socket: TLSSocket): Connection {
    if (socket.alpnProtocol !== 'h2') throw new ShoalError('unauthorized', 'it does not speak HTTP/2');
    const certificate = socket.getPeerCertificate();
    if (certificate?.raw === undefined) {
      this.#checkRoom();
      return { socket, isBrief: true, expires_ms: Number.POSITIVE_INFINITY, managerCalls: new Set() };
    }
    const fault: unknown = socket.authorizationError; // a code of OpenSSL's, whatever its type says
    if (fault === 'CERT_NOT_YET_VALID') {
      throw new ShoalError('unauthorized', "its certificate is not valid yet: the two nodes' clocks are hours apart");
    }
    if (!socket.authorized) {
      throw new ShoalError('unauthorized', `its certificate is not of this cluster: ${socket.authorizationError}`);
    }
    const identity = identityFrom(certificate.subject as Subject, certificate.subjectaltname);
    const expires_ms = Date.parse(certificate.valid_to);
    const invalid = this.#invalid(identity, expires_ms);
    if (invalid !== undefined) throw new ShoalError('unauthorized', invalid);
    const isBrief = this.#guard.removal(identity) !== undefined;
    if (isBrief) this.#checkRoom();
    return { socket, identity, isBrief, expires_ms, managerCalls: new Set() };
  }

  #checkRoom(): void {
    if (this.#briefOpen < this.#options.strangersMax) return;
    throw new ShoalError('unauthorized', 'too many connections of callers that are not served');
  }

  #keep(connection: Connection): void {
    const { socket, isBrief } = connection;
    const key = keyOf(socket);
    this.#connections.set(key, connection);
    let cancel = () => {};
    if (isBrief) {
      this.#briefOpen += 1;
      cancel = this.#options.clock.after(this.#options.stranger_ms, () => socket.destroy());
    }
    socket.once('close', () => {
      cancel();
      if (isBrief) this.#briefOpen -= 1;
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
  }

  #invalid(identity: Identity, expires_ms: number): string | undefined {
    const { credentials, clock } = this.#options;
    if (identity.clusterID !== credentials.identity.clusterID) return 'its certificate is of another cluster';
    if (!(clock.now() < expires_ms)) return 'its certificate has expired';
    return undefined;
  }

  /** Every call is checked when it begins: who makes it, whether the role allows it, whether the node is still welcome. */
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
              this.#warn('call refused', { from: call.getPeer(), path, reason: messageOf(error) });
              call.sendStatus(statusOf(error));
              return;
            }
            proceed(metadata);
          },
        }),
    });
  }

  #admit(path: string, call: grpc.ServerInterceptingCallInterface, metadata: grpc.Metadata): Connection {
    const connection = this.#connections.get(keyOf(call.getConnectionInfo()));
    if (connection === undefined) throw new ShoalError('unauthorized', 'the connection is gone');
    const { identity, expires_ms } = connection;
    if (!mayCall(identity?.role ?? 'nobody', path)) {
      throw new ShoalError(
        'forbidden',
        `${path} is not for ${identity === undefined ? 'callers without a certificate' : `a ${identity.role}`}`,
      );
    }
    if (identity === undefined) return connection;
    const invalid = this.#invalid(identity, expires_ms);
    if (invalid !== undefined) throw new ShoalError('unauthorized', invalid);
    const removal = this.#guard.removal(identity);
    if (removal !== undefined) throw new ShoalError('node-removed', removal);
    const demotion = isForManagers(path) ? this.#guard.demotion(identity) : undefined;
    if (demotion !== undefined) throw new ShoalError('forbidden', demotion);
    this.#callers.set(metadata, identity);
    return connection;
  }

  /** Logs what comes from outside, a bounded number of lines a window: a flood must not fill the disk. */
  #warn(message: string, details: object): void {
    const now_ms = this.#options.clock.monotonic();
    if (now_ms - this.#warnings.since_ms > window_ms) {
      const hidden = this.#warnings.count - warningsPerWindow;
      if (hidden > 0) this.#options.log.warn('further warnings were left out', { count: hidden });
      this.#warnings = { since_ms: now_ms, count: 0 };
    }
    this.#warnings.count += 1;
    if (this.#warnings.count <= warningsPerWindow) this.#options.log.warn(message, details);
  }
}

interface Ends {
  localAddress?: string;
  localPort?: number;
  remoteAddress?: string;
  remotePort?: number;
}

function keyOf(end: Ends): string {
  return `${end.localAddress} ${end.localPort} ${end.remoteAddress} ${end.remotePort}`;
}
