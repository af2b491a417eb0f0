import http from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** An engine that has something to say on every kind of connection, for as long as it is listened to. Its connections may be cut. */
export class RestlessEngine {
  readonly sockets = new Set<Duplex>();
  private readonly server = http.createServer((request, response) => this.answer(request, response));

  constructor(readonly path: string) {
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).once('close', () => this.sockets.delete(socket));
    });
    this.server.on('upgrade', (_request, socket: Socket, head: Buffer) => this.hijack(socket, head));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(this.path, resolve));
    return this;
  }

  /** Ends all connections at once, as an engine that is killed. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    response.on('error', () => {});
    response.setHeader('Api-Version', '1.41');
    if (/\/(logs|events|stats)\b/.test(request.url ?? '')) {
      talk(response);
      return;
    }
    response.setHeader('Content-Type', 'application/json');
    request.resume().once('end', () => response.end('{"from":"engine","Labels":{}}'));
  }

  private hijack(socket: Socket, head: Buffer): void {
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    socket.write(head);
    socket.once('end', () => socket.end());
    socket.resume();
    talk(socket);
  }
}

/** Lines in Docker's framing, each a write of its own, until nobody listens. */
function talk(to: NodeJS.WritableStream & { destroyed: boolean; writableEnded: boolean }): void {
  const line = Buffer.from(`${new Date().toISOString().replace('Z', '000000Z')} a line\n`);
  const frame = Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, line.length]), line]);
  const more = () => {
    if (to.destroyed || to.writableEnded) return;
    if (to.write(frame)) setImmediate(more);
    else to.once('drain', more);
  };
  more();
}
