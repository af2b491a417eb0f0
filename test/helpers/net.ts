import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Resolves once `done`; looks again every few milliseconds, and gives up long after the test was given up for stuck. */
export async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await done())) {
    if (performance.now() - start > 120_000) throw new Error('did not come true');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

let lastPort = 10_000 + (process.pid % 1000) * 20;

/** A TCP port that nobody has, below those that the system gives to outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    lastPort = lastPort >= 30_000 ? 10_000 : lastPort + 1;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen({ host: '0.0.0.0', port: lastPort }, () => server.close(() => resolve(true)));
    });
    if (isFree) return lastPort;
  }
}

/** A server that is told of every connection, and can be ended with all of them. */
export class TestServer {
  readonly sockets = new Set<Socket>();
  accepted = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** Half-open connections are the handler's to end. */
  static async start(handle: (socket: Socket) => void, host = '127.0.0.1'): Promise<TestServer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen({ host, port: 0 });
    await once(server, 'listening');
    const made = new TestServer(server, (server.address() as AddressInfo).port);
    server.on('connection', (socket) => {
      made.accepted += 1;
      made.sockets.add(socket);
      socket.on('close', () => made.sockets.delete(socket));
      socket.on('error', () => {});
      handle(socket);
    });
    return made;
  }

  /** Accepts no more; nothing answers at its port. */
  stop(): void {
    this.server.close();
  }

  end(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Connects and collects what arrives; `ended` is true after FIN, `error` the code with which it broke. */
export class TestClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  connected = false;
  ended = false;
  closed = false;
  error: string | undefined;

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect({ port, host, allowHalfOpen: true });
    this.socket.on('connect', () => {
      this.connected = true;
    });
    this.socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on('end', () => {
      // Node takes data that comes together with RST for an end; but then nobody is there any more.
      if (!this.socket.writableEnded && this.socket.remoteAddress === undefined) this.error = 'ECONNRESET';
      else this.ended = true;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  get text(): string {
    return this.received.toString();
  }

  /** What the server says until it ends the connection; throws when the connection breaks. */
  async rest(): Promise<string> {
    await until(() => this.ended || this.error !== undefined);
    this.socket.destroy();
    if (this.error !== undefined) throw new Error(this.error);
    return this.text;
  }
}
