// Sends datagrams and answers them, in a network namespace of its own: told what by a line of JSON, says what came of it by one.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Where each listens, and answers every datagram with itself. */
export const voicePort = 7000;

export type Words =
  /** What came since this was last asked. */
  | { heard: true }
  /** Sends one every few milliseconds from now on. */
  | { talkTo: string; text: string }
  /** No more; says how many there were, and how many were answered. */
  | { stop: true }
  /** Sends one of a size until it comes back, and says whether it did. */
  | { reach: string; text: string; size: number; tries: number }
  /** Sends one with these bytes from an address of ours. */
  | { from: string; to: string; port: number; hex: string };

const pause_ms = 20;
const answer_ms_max = 10_000;

/** The other side of one. */
export class Voice {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(namespace: string) {
    const command = ['netns', 'exec', namespace, process.execPath, fileURLToPath(import.meta.url), 'speak'];
    this.child = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** Resolves once it listens. */
  async ready(): Promise<this> {
    await this.lines.next();
    return this;
  }

  async say<T>(words: Words): Promise<T> {
    this.child.stdin!.write(`${JSON.stringify(words)}\n`);
    return JSON.parse((await this.lines.next()).value as string) as T;
  }
}

async function speak(): Promise<void> {
  const heard: string[] = [];
  const server = createSocket('udp4');
  server.on('message', (message, { port, address }) => {
    heard.push(message.toString('latin1', 0, 80));
    server.send(message, port, address);
  });
  server.bind(voicePort);
  await once(server, 'listening');
  console.log('"ready"');
  let stop = async (): Promise<unknown> => undefined;
  const obey = async (words: Words): Promise<unknown> => {
    if ('heard' in words) return heard.splice(0);
    if ('stop' in words) return stop();
    if ('reach' in words) return reach(words);
    if ('from' in words) return send(words);
    stop = talk(words);
    return true;
  };
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await obey(JSON.parse(line) as Words)));
  }
}

function talk({ talkTo, text }: { talkTo: string; text: string }): () => Promise<{ sent: number; answered: number }> {
  const socket = createSocket('udp4');
  const answered = new Set<string>();
  let sent = 0;
  socket.on('message', (message) => answered.add(message.toString()));
  const timer = setInterval(() => socket.send(`${text} ${++sent}`, voicePort, talkTo), pause_ms);
  return async () => {
    clearInterval(timer);
    for (let waited = 0; answered.size < sent && waited < answer_ms_max; waited += 100) await wait(100);
    socket.close();
    return { sent, answered: answered.size };
  };
}

async function reach({ reach, text, size, tries }: Extract<Words, { reach: string }>): Promise<boolean> {
  const socket = createSocket('udp4');
  let isAnswered = false;
  socket.on('message', (message) => {
    isAnswered ||= message.length === size;
  });
  for (let left = tries; left > 0 && !isAnswered; left--) {
    socket.send(text.padEnd(size, '.'), voicePort, reach);
    await wait(100);
  }
  socket.close();
  return isAnswered;
}

async function send({ from, to, port, hex }: Extract<Words, { from: string }>): Promise<true> {
  const socket = createSocket('udp4');
  socket.bind(0, from);
  await once(socket, 'listening');
  await new Promise((resolve) => socket.send(Buffer.from(hex, 'hex'), port, to, resolve));
  socket.close();
  return true;
}

if (process.argv[2] === 'speak') await speak();
