import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { streamEngineSocket } from '../../../src/daemon/engine-stream.js';
import { ManualClock } from '../../helpers/manual-clock.js';

describe('a stream of the engine', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-engine-'));
  const path = join(folder, 'engine.sock');
  let server: Server;
  let engine: Socket;
  let stream: Duplex;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock();
    server = createServer({ allowHalfOpen: true });
    server.listen(path);
    const accepted = once(server, 'connection');
    stream = await streamEngineSocket(path, clock);
    [engine] = await accepted;
    engine.on('error', () => {});
  });
  afterEach(async () => {
    stream.destroy();
    engine.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  after(() => rmSync(folder, { recursive: true }));
  const sent = (text: string) => new Promise((resolve) => engine.write(text, resolve));
  const piece = async () => String((await once(stream, 'data'))[0]);

  it('brings the first pieces at once, and what follows upon them together', async () => {
    for (const text of ['one', 'two']) {
      const came = piece();
      await sent(text);
      assert.equal(await came, text);
    }
    const came = piece();
    for (let count = 0; count < 100; count++) await sent('a line\n');
    await clock.advance(1);
    assert.equal(await came, 'a line\n'.repeat(100));
  });

  it('brings pieces at once that come one after the other', async () => {
    for (let count = 0; count < 10; count++) {
      const came = piece();
      await sent('a line\n');
      assert.equal(await came, 'a line\n');
      await clock.advance(3);
    }
  });

  it('brings large pieces whole', async () => {
    const bytes = Buffer.alloc(10_000_000, 'x');
    let size = 0;
    stream.on('data', (data: Buffer) => (size += data.length));
    engine.end(bytes);
    while (size < bytes.length) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(1); // of what the kernel handed on in short pieces
    }
    assert.equal(size, bytes.length);
  });

  it('reads no further than it is read', async () => {
    let written = 0;
    const more = () => {
      do written += 64 * 1024;
      while (engine.write(Buffer.alloc(64 * 1024)) && written < 100_000_000);
    };
    engine.on('drain', more);
    more();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(written < 5_000_000, `${written} bytes were taken`);
  });

  it('ends each way by itself', async () => {
    stream.end('all');
    assert.equal(String((await once(engine, 'data'))[0]), 'all');
    await once(engine, 'end');
    const came = piece();
    engine.end('the answer');
    assert.equal(await came, 'the answer');
    await once(stream, 'end');
  });

  it('keeps what it has read for a slow reader when both ways have ended', async () => {
    stream.end();
    await once(engine.resume(), 'end');
    const closed = once(engine, 'close');
    engine.end(Buffer.alloc(10_000, 'x'));
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 20)); // our end of it closes too
    let size = 0;
    for await (const bytes of stream) size += (bytes as Buffer).length;
    assert.equal(size, 10_000);
  });

  it('goes away with the connection, and takes it along', async () => {
    const closed = once(stream, 'close');
    engine.destroy();
    stream.resume();
    stream.end();
    await closed;
    const accepted = once(server, 'connection');
    const other = await streamEngineSocket(path, clock);
    const [there] = (await accepted) as [Socket];
    const gone = once(
      there.resume().on('end', () => there.end()),
      'close',
    );
    other.destroy();
    await gone;
  });
});
