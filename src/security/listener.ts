import type { Socket } from 'node:net';
import { createServer, type Server as TLSServer, type TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { type Caller, mayCall } from './access.js';
import { BoundedWarnings } from './bounded-warnings.js';
import { CallChecks } from './call-checks.js';
import { Connections, keyOf } from './connections.js';
import type { Credentials } from './credentials.js';
import type { Guard, IdentityOf, ServiceHost } from './identity.js';

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
  /** Open connections of one worker. */
  workerMax?: number;
}

// How large a message a caller may send, and how many calls one connection may have: what comes is kept until it is whole. So a manager
// is trusted with much, and a worker, with the 32 connections it may have, with half a gigabyte of another node's memory at most.
const ofManagers = { bytes: 64 * 1024 * 1024, streams: 128 }; // a Raft batch, or a full set of assignments with its secrets
const ofWorkers = { bytes: 4 * 1024 * 1024, streams: 4 }; // a few hundred reports; an honest one has a connection for each call
const ofStrangers = { bytes: 64 * 1024, streams: 4 };

/**
 * The node's cluster port: one TLS 1.3 listener for all gRPC services. A connection with a certificate of the cluster may call
 * what its role allows; one without may only ask to join; one with any other certificate, or that is no TLS at all, is cut off.
 */
export class ClusterListener implements ServiceHost {
  readonly #options: Required<ListenerOptions>;
  readonly #tls: TLSServer;
  readonly #servers: Record<Caller, grpc.Server>;
  readonly #injectors: Record<Caller, grpc.ConnectionInjector>;
  readonly #warnings: BoundedWarnings;
  readonly #connections: Connections;
  readonly #checks: CallChecks;
  /** Everything that is open, from before its handshake on. */
  readonly #sockets = new Set<Socket>();
  readonly #handshaking = new Map<string, Socket>();
  readonly #stopWatching: () => void;

  constructor(options: ListenerOptions) {
    this.#options = {
      handshake_ms: 5_000,
      handshakesMax: 512,
      connectionsMax: 4_096,
      strangersMax: 128,
      stranger_ms: 30_000,
      workerMax: 32,
      ...options,
    };
    const { credentials, clock, log } = options;
    const { strangersMax, stranger_ms, workerMax } = this.#options;
    this.#warnings = new BoundedWarnings(log, clock);
    const limits = { strangersMax, stranger_ms, workerMax };
    this.#connections = new Connections({ credentials, clock, warnings: this.#warnings, ...limits });
    this.#checks = new CallChecks(this.#connections, credentials, this.#warnings);
    this.#servers = {
      manager: this.#server({ ...ofManagers, keepsAlive: true }),
      worker: this.#server({ ...ofWorkers, keepsAlive: true }),
      nobody: this.#server({ ...ofStrangers, keepsAlive: false }),
    };
    const injector = (caller: Caller) =>
      this.#servers[caller].createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.#injectors = { manager: injector('manager'), worker: injector('worker'), nobody: injector('nobody') };
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
      else this.#warnings.warn('no TLS handshake', details);
      socket.destroy();
    });
    this.#stopWatching = credentials.onSwap(() => this.#tls.setSecureContext(this.#tlsMaterial()));
  }

  #server({ bytes, streams, keepsAlive }: { bytes: number; streams: number; keepsAlive: boolean }): grpc.Server {
    return new grpc.Server({
      interceptors: [this.#checks.intercept],
      'grpc.max_receive_message_length': bytes,
      'grpc.max_send_message_length': ofManagers.bytes,
      'grpc.max_concurrent_streams': streams,
      ...(keepsAlive && { 'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 10_000 }),
    });
  }

  #tlsMaterial() {
    const { keyPEM: key, certificatePEM: cert, rootPEM: ca } = this.#options.credentials.material;
    return { key, cert, ca, minVersion: 'TLSv1.3' as const };
  }

  /** Starts to listen. Throws `unavailable` when the address cannot be had now. Resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error) => {
        const reason = messageOf(error);
        reject(new ShoalError('unavailable', `cannot listen on ${host}:${port}: ${reason}`, { cause: error }));
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
    const { manager, worker, nobody } = this.#servers;
    for (const server of [manager, worker]) server.addService(definition, handlers);
    const open = Object.fromEntries(Object.entries(definition).filter(([, { path }]) => mayCall('nobody', path)));
    if (Object.keys(open).length > 0) nobody.addService(open, handlers);
  }

  removeService(definition: grpc.ServiceDefinition): void {
    for (const server of Object.values(this.#servers)) server.removeService(definition);
  }

  get identityOf(): IdentityOf {
    return this.#checks.identityOf;
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

  /** Cuts what is open and is not to go on: see `Connections.recheck`. */
  recheck(): void {
    this.#connections.recheck();
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    this.#stopWatching();
    const closed = new Promise<void>((resolve) => this.#tls.close(() => resolve()));
    for (const injector of Object.values(this.#injectors)) injector.destroy();
    for (const server of Object.values(this.#servers)) server.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #welcome(socket: TLSSocket): void {
    socket.on('error', (error) => this.#options.log.debug('connection failed', { reason: messageOf(error) }));
    try {
      const { identity } = this.#connections.welcome(socket);
      this.#injectors[identity?.role ?? 'nobody'].injectConnection(socket);
    } catch (error) {
      this.#warnings.warn('connection refused', { from: socket.remoteAddress, reason: messageOf(error) });
      socket.destroy();
    }
  }
}
