import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { PortSettings } from './port.js';
import type { Attachment, Rotation, Target } from './rotation.js';

/** What a flow needs of the port that its client sends to. */
export interface FlowHost {
  readonly settings: PortSettings;
  readonly rotation: Rotation;
  /** It was used just now, after a second or more without. */
  used(flow: Flow): void;
  ended(flow: Flow): void;
}

/** How often a flow's place in the order of use is brought up to date. */
const touch_ms = 1000;
/** Datagrams that wait while a socket is being made for them; more are lost, as in any full queue of UDP. */
const waitingMax = 16;

/** What one UDP client and the endpoint that it was given say to each other. */
export class Flow implements Attachment {
  /** When it was used, give or take `touch_ms`. */
  used_ms: number;
  private moved_ms: number;
  private target: Target | undefined;
  private socket: Socket | undefined;
  private isConnected = false;
  private hasEnded = false;
  private wasAnswered = false;
  private readonly tried = new Set<Target>();
  /** What the client sent since the last answer: all of it until the socket is connected, then the last datagram. */
  private unanswered: Buffer[] = [];

  constructor(
    private readonly host: FlowHost,
    readonly key: string,
    private readonly client: string,
    private readonly toClient: (datagram: Buffer) => void,
  ) {
    this.used_ms = this.moved_ms = host.settings.clock.monotonic();
  }

  fromClient(datagram: Buffer): void {
    this.touch();
    if (this.isConnected) {
      this.unanswered = [datagram];
      this.send(datagram);
    } else {
      if (this.unanswered.length < waitingMax) this.unanswered.push(datagram);
      if (this.socket === undefined) this.dial();
    }
  }

  /** Where no answer ever came nothing is known to be under way: the client's next datagram goes elsewhere. */
  retired(): void {
    if (!this.wasAnswered) this.end();
  }

  endIfIdle(now_ms: number): void {
    if (this.unanswered.length === 0 && now_ms - this.moved_ms >= this.host.settings.idle_ms) this.end();
  }

  end(): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.leaveTarget();
    this.host.ended(this);
  }

  private dial(): void {
    const target = this.host.rotation.pick(this.host.settings.clock.monotonic(), this.tried, () => this.client);
    if (target === undefined) {
      this.end();
      return;
    }
    this.tried.add(target);
    this.target = target;
    const { host, port } = target.address;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    this.socket = socket;
    target.attach(this);
    socket.on('error', (error) => this.failed(socket, error));
    socket.on('message', (datagram) => this.fromServer(socket, datagram));
    socket.connect(port, host, (error?: NodeJS.ErrnoException) => {
      if (error) this.failed(socket, error);
      if (this.socket !== socket) return;
      this.isConnected = true;
      for (const datagram of this.unanswered) this.send(datagram);
      this.unanswered = this.unanswered.slice(-1);
    });
  }

  private send(datagram: Buffer): void {
    const socket = this.socket;
    socket?.send(datagram, (error) => {
      if (error !== null) this.failed(socket, error);
    });
  }

  private fromServer(socket: Socket, datagram: Buffer): void {
    if (this.socket !== socket) return;
    this.touch();
    this.wasAnswered = true;
    this.unanswered = [];
    this.tried.clear();
    this.toClient(datagram);
  }

  /** Nobody is at the endpoint (ICMP says so), or it cannot be sent to. What was not answered goes to the next. */
  private failed(socket: Socket, error: NodeJS.ErrnoException): void {
    if (this.socket !== socket) return;
    if (error.code === 'EMSGSIZE') return; // says something of that datagram only
    const target = this.target;
    this.leaveTarget();
    if (target !== undefined) this.host.settings.unreachable(target, error.code ?? 'UNKNOWN');
    if (this.unanswered.length === 0) this.end();
    else this.dial();
  }

  private leaveTarget(): void {
    const socket = this.socket;
    this.socket = undefined;
    this.isConnected = false;
    socket?.close();
    this.target?.detach(this);
    this.target = undefined;
  }

  private touch(): void {
    this.moved_ms = this.host.settings.clock.monotonic();
    if (this.moved_ms - this.used_ms < touch_ms) return;
    this.used_ms = this.moved_ms;
    this.host.used(this);
  }
}
