import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ask, type Side } from './api-calls.js';
import { median } from './figures.js';

const block = Buffer.alloc(512);
const mega = Buffer.alloc(1024 * 1024, 'shoal');

/** Megabytes a second of each side, taken in turn. */
export async function comparedStreams(
  sides: readonly Side[],
  rounds: number,
  transfer: (side: Side) => Promise<number>,
): Promise<number[]> {
  const rates = sides.map((): number[] => []);
  const order = [...sides.keys()];
  for (let round = 0; round < rounds; round++) {
    for (const at of order) {
      const began = performance.now();
      const bytes = await transfer(sides[at]!);
      rates[at]!.push(bytes / 1e6 / ((performance.now() - began) / 1000));
    }
    order.reverse(); // the first is the last in every other round
  }
  return rates.map(median);
}

/** A container that has written `bytes` into its log, in lines of 100 bytes. */
export async function containerWithLog(engine: Side, bytes: number): Promise<string> {
  const Cmd = ['sh', '-c', `yes ${'x'.repeat(99)} | head -c ${bytes}`];
  const { Id } = JSON.parse(await ask(engine, 'POST', '/containers/create', { Image: 'shoal/web:1', Cmd }));
  await ask(engine, 'POST', `/containers/${Id}/start`);
  await ask(engine, 'POST', `/containers/${Id}/wait`);
  return Id;
}

/** Reads an answer to its end as bare bytes, which costs the client next to nothing; resolves with their number. */
export async function download({ socketPath }: Side, path: string): Promise<number> {
  const socket = connect(socketPath);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n`);
  let bytes = 0;
  let head = '';
  socket.on('data', (chunk: Buffer) => {
    if (bytes === 0) head = chunk.toString('latin1', 0, 20);
    bytes += chunk.length;
  });
  await once(socket, 'close');
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`GET ${path}: ${head}`);
  return bytes;
}

/** An image of one layer of `megabytes`, as `docker save` writes it, made as it is sent. */
export class LargeImage {
  readonly name = 'bench/large:1';
  private readonly config: Buffer;
  private readonly manifest: Buffer;

  constructor(private readonly megabytes: number) {
    const hash = createHash('sha256');
    for (const part of this.layer()) hash.update(part);
    const diff_ids = [`sha256:${hash.digest('hex')}`];
    this.config = Buffer.from(
      JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids } }),
    );
    this.manifest = Buffer.from(
      JSON.stringify([{ Config: 'config.json', RepoTags: [this.name], Layers: ['layer.tar'] }]),
    );
  }

  /** POST /images/load of the whole; resolves with the bytes that were sent once the engine has it. */
  async load({ socketPath }: Side): Promise<number> {
    const socket = connect(socketPath);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    const closed = once(socket, 'close');
    socket.write(
      'POST /images/load?quiet=1 HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    let bytes = 0;
    for (const part of this.archive()) {
      socket.write(`${part.length.toString(16)}\r\n`);
      socket.write(part);
      if (!socket.write('\r\n')) await once(socket, 'drain');
      bytes += part.length;
    }
    socket.write('0\r\n\r\n');
    await closed;
    if (!/^HTTP\/1.1 200[\s\S]*Loaded image/.test(answer)) throw new Error(answer);
    return bytes;
  }

  private *archive(): Iterable<Buffer> {
    for (const [name, content] of [
      ['config.json', this.config],
      ['manifest.json', this.manifest],
    ] as const) {
      yield header(name, content.length);
      yield Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
    }
    yield header('layer.tar', this.megabytes * mega.length + 3 * 512);
    yield* this.layer();
    yield Buffer.concat([block, block]);
  }

  private *layer(): Iterable<Buffer> {
    yield header('large', this.megabytes * mega.length);
    for (let at = 0; at < this.megabytes; at++) yield mega;
    yield Buffer.concat([block, block]);
  }
}

/** The header of a regular file in a tar archive (POSIX ustar). */
function header(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write(name, 0);
  bytes.write('0000644\0', 100);
  bytes.write('0000000\0', 108);
  bytes.write('0000000\0', 116);
  bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  bytes.write('00000000000\0', 136);
  bytes.write('        ', 148);
  bytes.write('0', 156);
  bytes.write('ustar\0', 257);
  bytes.write('00', 263);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}
