import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import { Frames, frame } from './frames.js';

const server_ms_max = 2_000;
const servers_max = 3; // as resolv.conf has it
/** Questions that may be on their way at once: a container that asks for much must not cost the agent its descriptors. */
const open_max = 512;

export interface ForwarderOptions {
  /** The node's own name servers, as they are now. */
  nameservers(): Promise<readonly string[]>;
  clock: Clock;
  random: Random;
}

/** Asks name servers outside the cluster, one after the other. */
export class Forwarder {
  private open = 0;

  constructor(private readonly options: ForwarderOptions) {}

  /**
   * The answer to a query, its bytes as they came; undefined when nobody answered. `own`: the name servers to ask instead of the
   * node's.
   */
  async ask(query: Buffer, own: readonly string[], over: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (this.open >= open_max) return undefined;
    this.open += 1;
    try {
      const servers = own.length > 0 ? own : await this.options.nameservers();
      for (const server of servers.slice(0, servers_max)) {
        const answer = await (over === 'udp' ? this.overUDP(query, server) : this.overTCP(query, server));
        if (answer !== undefined) return answer;
      }
      return undefined;
    } finally {
      this.open -= 1;
    }
  }

  /** From a port of its own and under an id of its own, so that nobody on the way can answer in the server's place. */
  private overUDP(query: Buffer, server: string): Promise<Buffer | undefined> {
    const sent = Buffer.from(query);
    sent.writeUInt16BE(this.options.random.below(0x10000), 0);
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    return new Promise((resolve) => {
      const end = (answer?: Buffer) => {
        cancel();
        socket.close();
        resolve(answer);
      };
      const cancel = this.options.clock.after(server_ms_max, () => end());
      socket.on('error', () => end());
      socket.on('message', (answer) => {
        if (answer.length < 12 || answer.readUInt16BE(0) !== sent.readUInt16BE(0)) return;
        end(withID(answer, query));
      });
      socket.connect(53, server, () => socket.send(sent));
    });
  }

  private overTCP(query: Buffer, server: string): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = connect(53, server);
      const end = (answer?: Buffer) => {
        cancel();
        socket.destroy();
        resolve(answer);
      };
      const cancel = this.options.clock.after(server_ms_max, () => end());
      const frames = new Frames();
      socket.on('error', () => end());
      socket.on('close', () => end());
      socket.on('data', (bytes) => {
        for (const answer of frames.add(bytes)) return end(answer);
      });
      socket.write(frame(query));
    });
  }
}

function withID(answer: Buffer, query: Buffer): Buffer {
  query.copy(answer, 0, 0, 2);
  return answer;
}
