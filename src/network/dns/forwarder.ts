import { connect } from 'node:net';
import type { Clock } from '../../model/clock.js';
import type { Random } from '../../model/random.js';
import { Frames, frame } from './frames.js';
import { isAnswerTo, Upstream } from './upstream.js';

/** Three servers together are heard within the 4 s that the engine's resolver waits for us. */
const server_ms_max = 1_200;
const servers_max = 3; // as resolv.conf has it
/** A server that did not answer is asked after the others for so long. */
const avoided_ms = 10_000;
/** How long the node's own name servers hold as they were read: names are asked for in bursts. */
const known_ms = 1_000;
/** Questions that may be on their way at once: a container that asks for much must not cost the agent its descriptors, nor others theirs. */
const open_max = 512;
const openOfOne_max = 128;
/** RFC 1035, 4.1.1: what another server may know better. */
const unhelpful: ReadonlySet<number> = new Set([2, 4, 5]);

export interface ForwarderOptions {
  /** The node's own name servers, as they are now. */
  nameservers(): Promise<readonly string[]>;
  clock: Clock;
  random: Random;
  /** 53, unless a test says otherwise. */
  port?: number;
}

export interface Outside {
  /** Whose question it is. */
  from: string;
  /** Name servers of its own choice, instead of the node's. */
  own: readonly string[];
  /** Addresses that are our own: who asks itself never comes to an end. */
  except: ReadonlySet<string>;
  over: 'udp' | 'tcp';
}

/** Asks name servers outside the cluster, one after the other. */
export class Forwarder {
  private open = 0;
  private readonly openOf = new Map<string, number>();
  private readonly upstreams = new Map<string, Upstream>();
  private readonly avoidedUntil = new Map<string, number>();
  private known: Promise<readonly string[]> | undefined;
  private knownUntil_ms = 0;

  constructor(private readonly options: ForwarderOptions) {}

  /** The answer to a query, its bytes as they came; undefined when nobody answered. */
  async ask(query: Buffer, { from, own, except, over }: Outside): Promise<Buffer | undefined> {
    const openOfOne = this.openOf.get(from) ?? 0;
    if (this.open >= open_max || openOfOne >= openOfOne_max) return undefined;
    this.open += 1;
    this.openOf.set(from, openOfOne + 1);
    try {
      const servers = own.length > 0 ? own : await this.system();
      return await this.askEach(
        query,
        servers.filter((server) => !except.has(server)),
        over,
      );
    } finally {
      this.open -= 1;
      const left = (this.openOf.get(from) ?? 1) - 1;
      if (left > 0) this.openOf.set(from, left);
      else this.openOf.delete(from);
    }
  }

  private system(): Promise<readonly string[]> {
    const now_ms = this.options.clock.monotonic();
    if (this.known === undefined || now_ms >= this.knownUntil_ms) {
      this.known = this.options.nameservers();
      this.knownUntil_ms = now_ms + known_ms;
    }
    return this.known;
  }

  /** In their order, those that did not answer lately last. What one cannot answer the next may; if none can, the first's word counts. */
  private async askEach(query: Buffer, servers: readonly string[], over: Outside['over']): Promise<Buffer | undefined> {
    const { clock } = this.options;
    const isAvoided = (server: string) => (this.avoidedUntil.get(server) ?? 0) > clock.monotonic();
    const first = servers.slice(0, servers_max);
    const ordered = [...first.filter((one) => !isAvoided(one)), ...first.filter(isAvoided)];
    let poor: Buffer | undefined;
    for (const server of ordered) {
      const answer = await (over === 'udp' ? this.overUDP(query, server) : this.overTCP(query, server));
      if (answer === undefined) this.avoid(server);
      else if (!unhelpful.has(answer.readUInt8(3) & 15)) return answer;
      else poor ??= answer;
    }
    return poor;
  }

  private avoid(server: string): void {
    const now_ms = this.options.clock.monotonic();
    for (const [one, until_ms] of this.avoidedUntil) if (until_ms <= now_ms) this.avoidedUntil.delete(one);
    this.avoidedUntil.set(server, now_ms + avoided_ms);
  }

  private overUDP(query: Buffer, server: string): Promise<Buffer | undefined> {
    let upstream = this.upstreams.get(server);
    if (upstream === undefined) {
      for (const [known, { isIdle }] of this.upstreams) if (isIdle) this.upstreams.delete(known);
      const { clock, random } = this.options;
      upstream = new Upstream(server, { clock, random, port: this.port });
      this.upstreams.set(server, upstream);
    }
    return upstream.ask(query, server_ms_max);
  }

  private overTCP(query: Buffer, server: string): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = connect(this.port, server);
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
        for (const answer of frames.add(bytes)) {
          const isIts =
            answer.length > 2 && answer.readUInt16BE(0) === query.readUInt16BE(0) && isAnswerTo(query, answer);
          return end(isIts ? answer : undefined);
        }
      });
      socket.write(frame(query));
    });
  }

  private get port(): number {
    return this.options.port ?? 53;
  }
}
