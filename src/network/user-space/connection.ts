import type { Clock } from '../../model/clock.js';
import { LastRequest } from './last-request.js';
import type { Attachment, Rotation, Target } from './rotation.js';
import { noWire, type Wire, type WireEvents, type Wires } from './wire.js';

/** What a connection needs of the port that accepted it. */
export interface ConnectionHost {
  readonly clock: Clock;
  readonly wires: Wires;
  readonly rotation: Rotation;
  /** A removed endpoint's connection counts as idle when the server spoke last and nothing moved for this long. */
  readonly idle_ms: number;
  readonly connectTimeout_ms: number;
  /** `expire` is to be called from now on until it returns false. */
  watch(connection: Connection): void;
  /** An endpoint did not answer; `code` is the system's error, ETIMEDOUT when it took too long. */
  unreachable(target: Target, code: string): void;
  closed(connection: Connection): void;
}

/** So many endpoints are tried for one client, within `dialing_ms`; then it is told no. */
const triesMax = 64;
const dialing_ms = 10_000;
/** A client that was told FIN has this long to close its side. */
const farewell_ms = 5000;

/** Errors that say something of this machine, nothing of the endpoint. */
const ownFault = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN']);

/**
 * One client's TCP connection: finds an endpoint, then carries bytes both ways until both ends have said that they are done, or
 * either breaks. Nothing is read from the client before an endpoint has answered, so trying the next one loses nothing.
 */
export class Connection implements Attachment {
  private state: 'dialing' | 'open' | 'leaving' | 'closed' = 'dialing';
  private readonly client: Side;
  private readonly server: Side;
  private target: Target | undefined;
  private readonly tried = new Set<Target>();
  private began_ms = 0;
  /** When `dialing` or `leaving` has to be over. */
  private deadline_ms = 0;
  private moved_ms = 0;
  /** The client spoke last: it may be waiting for an answer. */
  private awaitsServer = false;
  /** Looks at what passes; only there once the endpoint has left rotation. */
  private lastRequest: LastRequest | undefined;

  constructor(
    private readonly host: ConnectionHost,
    accepted: Wire,
  ) {
    this.client = new Side(this, accepted);
    this.server = new Side(this, noWire);
    this.client.other = this.server;
    this.server.other = this.client;
  }

  start(): void {
    this.began_ms = this.host.clock.monotonic();
    this.host.watch(this);
    this.dial();
  }

  /** Ends a connect, or a farewell, that takes too long. False when there is nothing to wait for any more. */
  expire(now_ms: number): boolean {
    if (now_ms >= this.deadline_ms) {
      if (this.state === 'dialing') this.unanswered('ETIMEDOUT');
      else if (this.state === 'leaving') this.close();
    }
    return this.state === 'dialing' || this.state === 'leaving';
  }

  retired(): void {
    if (this.state === 'open' && !this.host.rotation.isOpaque) this.lastRequest = new LastRequest();
    if (this.state !== 'dialing') return;
    this.leaveTarget();
    this.dial();
  }

  /**
   * A client that waits for an answer, or has closed its side and waits for the rest of one, is not idle. Else the server's side is done
   * with at once, and the client reads FIN as it would from a server that closes a connection unused for long.
   */
  endIfIdle(now_ms: number): void {
    if (this.state !== 'open' || this.awaitsServer || this.client.saidAll) return;
    if (this.client.isBehind || this.server.isBehind || now_ms - this.moved_ms < this.host.idle_ms) return;
    this.leaveTarget();
    if (this.client.toldAll) {
      this.close();
      return;
    }
    this.state = 'leaving';
    this.deadline_ms = now_ms + farewell_ms;
    this.host.watch(this);
    this.client.wire.end();
  }

  /** Breaks both sides, so that neither takes what it has for everything. */
  cut(): void {
    this.client.wire.reset();
    this.server.wire.reset();
    this.close();
  }

  private dial(): void {
    const now = this.host.clock.monotonic();
    const mayTry = this.tried.size < triesMax && now - this.began_ms < dialing_ms;
    const target = mayTry ? this.host.rotation.pick(now, this.tried, () => this.client.wire.peer()) : undefined;
    if (target === undefined) {
      this.cut();
      return;
    }
    this.tried.add(target);
    this.target = target;
    this.deadline_ms = now + this.host.connectTimeout_ms;
    const { host, port } = target.address;
    const wire = this.host.wires.connect(host, port, (code) => {
      if (code === undefined) this.open();
      else this.unanswered(code);
    });
    this.server.wire = wire;
    target.attach(this);
  }

  private unanswered(code: string): void {
    const target = this.target;
    this.leaveTarget();
    if (target !== undefined && !ownFault.has(code)) this.host.unreachable(target, code);
    this.dial();
  }

  private open(): void {
    this.state = 'open';
    this.moved_ms = this.host.clock.monotonic();
    this.client.start();
    this.server.start();
  }

  private leaveTarget(): void {
    this.server.wire.close();
    this.target?.detach(this);
    this.target = undefined;
  }

  private close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.client.wire.close();
    this.leaveTarget();
    this.host.closed(this);
  }

  /** A side sent bytes; returns what the other gets. Undefined when nobody is there to read them: the client was said farewell to. */
  moved(side: Side, bytes: Uint8Array): Uint8Array | undefined {
    if (this.state !== 'open') return undefined;
    this.moved_ms = this.host.clock.monotonic();
    this.awaitsServer = side === this.client;
    if (this.lastRequest === undefined) return bytes;
    if (this.awaitsServer) return this.lastRequest.fromClient(bytes);
    this.lastRequest.fromServer(bytes);
    return bytes;
  }

  /** A side will send no more. */
  sideEnded(side: Side): void {
    const { other } = side;
    // When it was the last thing to wait for, closing sends the FIN to the other side just as well.
    const isLast = side.toldAll && !other.isBehind;
    if (this.state === 'open' && !isLast) other.wire.end();
    else this.close();
  }

  /** A side has been told everything. */
  sideToldAll(): void {
    if (this.state === 'open' && this.client.toldAll && this.server.toldAll) this.close();
  }
}

/** One end of a connection. */
class Side implements WireEvents {
  other!: Side;
  /** Its FIN has come. */
  saidAll = false;
  /** Our FIN to it is out, so everything before is. */
  toldAll = false;
  /** It has not taken all of the last write; the other is not read meanwhile. */
  isBehind = false;

  constructor(
    private readonly connection: Connection,
    public wire: Wire,
  ) {}

  start(): void {
    this.wire.events = this;
    this.wire.resume();
  }

  data(bytes: Uint8Array): void {
    const passed = this.connection.moved(this, bytes);
    if (passed === undefined || this.other.wire.write(passed)) return;
    this.other.isBehind = true;
    this.wire.pause();
  }

  drained(): void {
    if (!this.isBehind) return;
    this.isBehind = false;
    if (!this.other.saidAll) this.other.wire.resume();
  }

  ended(): void {
    this.saidAll = true;
    this.connection.sideEnded(this);
  }

  finished(): void {
    this.toldAll = true;
    this.connection.sideToldAll();
  }

  failed(): void {
    this.connection.cut();
  }
}
