import type { TLSSocket } from 'node:tls';
import type { Clock } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { BoundedWarnings } from './bounded-warnings.js';
import type { Credentials } from './credentials.js';
import { type Identity, identityFrom, type Subject } from './identity.js';

/** A connection whose handshake is done. */
export interface Connection {
  socket: TLSSocket;
  identity?: Identity; // absent of a stranger
  isBrief: boolean; // of a stranger, or of a node that the guard refuses: counted and short, only good for being told why
  expires_ms: number; // of its certificate
  managerCalls: Set<object>; // open calls of what only managers may call
}

export interface ConnectionsOptions {
  credentials: Credentials;
  clock: Clock;
  warnings: BoundedWarnings;
  /** Open connections without a certificate, and how long each may last. */
  strangersMax: number;
  stranger_ms: number;
  /** Open connections of one worker: it needs a few, and who has stolen its key shall not take everybody's place. */
  workerMax: number;
}

/** Both ends of a connection, as a socket and as a call tell them. */
export interface Ends {
  localAddress?: string;
  localPort?: number;
  remoteAddress?: string;
  remotePort?: number;
}

export function keyOf(end: Ends): string {
  return `${end.localAddress} ${end.localPort} ${end.remoteAddress} ${end.remotePort}`;
}

/** Whose the open connections of the cluster port are, and whether they may go on. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #open = new Map<string, Connection>();
  readonly #ofWorkers = new Map<string, number>();
  #briefOpen = 0;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** The connection that a call came on; undefined when it is gone. */
  of(ends: Ends): Connection | undefined {
    return this.#open.get(keyOf(ends));
  }

  /** Takes one in. Throws `unauthorized` when it is to be cut off. */
  welcome(socket: TLSSocket): Connection {
    const connection = this.#judge(socket);
    this.#keep(connection);
    return connection;
  }

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
    const invalid = this.invalid(identity, expires_ms);
    if (invalid !== undefined) throw new ShoalError('unauthorized', invalid);
    const isBrief = this.#options.credentials.guard.removal(identity) !== undefined;
    if (isBrief) this.#checkRoom();
    if (identity.role === 'worker' && (this.#ofWorkers.get(identity.nodeID) ?? 0) >= this.#options.workerMax) {
      throw new ShoalError(
        'unauthorized',
        `node ${identity.nodeID} has ${this.#options.workerMax} connections already`,
      );
    }
    return { socket, identity, isBrief, expires_ms, managerCalls: new Set() };
  }

  #checkRoom(): void {
    if (this.#briefOpen < this.#options.strangersMax) return;
    throw new ShoalError('unauthorized', 'too many connections of callers that are not served');
  }

  #keep(connection: Connection): void {
    const { socket, identity, isBrief } = connection;
    const key = keyOf(socket);
    this.#open.set(key, connection);
    const worker = identity?.role === 'worker' ? identity.nodeID : undefined;
    if (worker !== undefined) this.#count(worker, 1);
    let cancel = () => {};
    if (isBrief) {
      this.#briefOpen += 1;
      cancel = this.#options.clock.after(this.#options.stranger_ms, () => socket.destroy());
    }
    socket.once('close', () => {
      cancel();
      if (isBrief) this.#briefOpen -= 1;
      if (worker !== undefined) this.#count(worker, -1);
      if (this.#open.get(key) === connection) this.#open.delete(key);
    });
  }

  #count(worker: string, change: number): void {
    const count = (this.#ofWorkers.get(worker) ?? 0) + change;
    if (count > 0) this.#ofWorkers.set(worker, count);
    else this.#ofWorkers.delete(worker);
  }

  /** Why a certificate counts for nothing by now; undefined while it does. */
  invalid(identity: Identity, expires_ms: number): string | undefined {
    const { credentials, clock } = this.#options;
    if (identity.clusterID !== credentials.identity.clusterID) return 'its certificate is of another cluster';
    if (!(clock.now() < expires_ms)) return 'its certificate has expired';
    return undefined;
  }

  /**
   * Cuts the connections of nodes that were removed by now, of certificates that have ended, and those on which a node that is not
   * a manager any more has calls open that only managers may make.
   */
  recheck(): void {
    const { guard } = this.#options.credentials;
    for (const { socket, identity, isBrief, expires_ms, managerCalls } of this.#open.values()) {
      if (identity === undefined || isBrief) continue;
      const refusal =
        this.invalid(identity, expires_ms) ??
        guard.removal(identity) ??
        (managerCalls.size > 0 ? guard.demotion(identity) : undefined);
      if (refusal === undefined) continue;
      const details = { node: identity.nodeID, from: socket.remoteAddress, reason: refusal };
      this.#options.warnings.warn('connection cut', details);
      socket.destroy();
    }
  }
}
