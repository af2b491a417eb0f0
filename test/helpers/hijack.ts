import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection that left HTTP, as `docker exec` and `docker attach` make it. */
export class Hijacked {
  private received = Buffer.alloc(0);

  private constructor(readonly socket: Socket) {
    socket.on('error', () => {}); // of a peer that has gone: seen as its end
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
  }

  /** POSTs with an upgrade; throws what the API answers when it does not agree. */
  static async open(socketPath: string, path: string, body?: object): Promise<Hijacked> {
    const socket = connect({ path: socketPath, allowHalfOpen: true });
    const text = body === undefined ? '' : JSON.stringify(body); // an engine takes what attach is sent for input
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    const opened = new Hijacked(socket);
    const head = await opened.until('\r\n\r\n');
    if (!head.startsWith('HTTP/1.1 101')) throw new Error(head);
    opened.received = opened.received.subarray(opened.received.indexOf('\r\n\r\n') + 4);
    return opened;
  }

  /** What has come so far. */
  get text(): string {
    return this.received.toString('latin1');
  }

  /** Waits until `words` have come; throws when the other side ends before. */
  async until(words: string): Promise<string> {
    while (!this.text.includes(words)) {
      if (this.socket.readableEnded) throw new Error(`ended after ${JSON.stringify(this.text)}`);
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'end')]);
    }
    return this.text;
  }

  /** Waits until the other side has ended; what it said. */
  async ended(): Promise<string> {
    if (!this.socket.readableEnded) await once(this.socket, 'end');
    return this.text;
  }
}
