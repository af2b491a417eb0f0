import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import type { Limits } from '../../src/api/limits.js';
import { type ApiServer, createApiServer } from '../../src/api/server.js';
import { type Clock, systemClock } from '../../src/model/clock.js';
import { MemoryBackend } from './memory-backend.js';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says by its assertions what an answer is
  body: any;
}

/** An engine's API on a socket of its own, that answers as the test says and remembers what it was asked. */
export class FakeEngine {
  readonly requests: { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }[] = [];
  readonly server: http.Server;
  readonly path: string;
  private readonly sockets = new Set<Socket>();
  handle: (request: http.IncomingMessage, response: http.ServerResponse) => void = (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end('{"from":"engine"}\n');
  };

  constructor(path: string, apiVersion = '1.41') {
    this.path = path;
    const track = (socket: Socket) => this.sockets.add(socket.once('close', () => this.sockets.delete(socket)));
    this.server = http.createServer((request, response) => {
      response.setHeader('Api-Version', apiVersion);
      response.setHeader('Server', 'Docker/20.10');
      const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: '' };
      this.requests.push(seen);
      request.on('data', (chunk: Buffer) => {
        seen.body += chunk.toString('latin1');
      });
      if (request.url === '/_ping') response.end('OK');
      else this.handle(request, response);
    });
    this.server.on('connection', track);
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(this.path, resolve));
    return this;
  }

  /** What it was asked, pings left out. */
  get asked() {
    return this.requests.filter((one) => one.url !== '/_ping');
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** An API server over a store in memory, with engines that a test plays. */
export class ApiFixture {
  readonly folder = mkdtempSync(join(tmpdir(), 'shoal-api-'));
  readonly backend = new MemoryBackend();
  readonly socket = join(this.folder, 'api.sock');
  readonly server: ApiServer;
  private readonly engines: FakeEngine[] = [];

  constructor(limits: Partial<Limits> = {}, clock: Clock = systemClock) {
    this.server = createApiServer(this.backend, { log: winston.createLogger({ silent: true }), limits, clock });
  }

  async start(): Promise<this> {
    await this.server.listen({ path: this.socket });
    return this;
  }

  async addEngine(node = ''): Promise<FakeEngine> {
    const engine = await new FakeEngine(join(this.folder, `engine${this.engines.length}.sock`)).start();
    this.engines.push(engine);
    this.backend.engines.set(node, engine.path);
    return engine;
  }

  async stop(): Promise<void> {
    await this.server.close();
    for (const engine of this.engines) await engine.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The body of an answer as it comes, until `signal` hangs up. */
  async *stream(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const request = http.get({ socketPath: this.socket, path, agent: false, signal }, resolve);
      request.on('error', reject);
    });
    answer.on('error', () => {}); // of hanging up
    for await (const chunk of answer) yield String(chunk);
  }

  /** One request and its whole answer. A body that is no string or buffer is sent as JSON. */
  call(method: string, path: string, body?: unknown, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: this.socket, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const isJSON = response.headers['content-type'] === 'application/json' && text !== '';
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            body: isJSON && !text.trim().includes('\n') ? JSON.parse(text) : undefined,
          });
        });
      });
      request.on('error', reject);
      if (body === undefined) request.end();
      else {
        const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
        if (request.getHeader('content-type') === undefined) request.setHeader('Content-Type', 'application/json');
        request.end(bytes);
      }
    });
  }
}

/** The smallest spec that runs. */
export function smallSpec(name: string, over: Record<string, unknown> = {}) {
  return { Name: name, TaskTemplate: { ContainerSpec: { Image: 'lab/bb' } }, ...over };
}
