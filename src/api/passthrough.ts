import type http from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ShoalError } from '../model/errors.js';
import { openRequest, responseOf } from './engine.js';
import type { EngineVersion } from './engine-version.js';
import type { Engine } from './engines.js';
import type { Api, Exchange } from './exchange.js';

/** Headers that belong to one connection, not to the request (RFC 9110, 7.6.1), and what we answer for ourselves. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);
const answeredByUs: ReadonlySet<string> = new Set(['api-version', 'docker-experimental', 'ostype', 'server', 'date']);

/** Clients ask a registry for a digest before they create a service, and do without when they get none: they are not kept waiting. */
const registryAnswer_ms = 5_000;
const noRegistry = `the registry did not answer within ${registryAnswer_ms} ms`;

/** The request's target for an engine that speaks API versions up to 1.`minor`. */
export async function engineTarget(exchange: Exchange, version: EngineVersion): Promise<string> {
  const query = exchange.request.url?.indexOf('?') ?? -1;
  const rest = `${exchange.path}${query < 0 ? '' : exchange.request.url!.slice(query)}`;
  if (!exchange.explicit) return rest;
  return `/v1.${Math.min(exchange.minor, await version.minor())}${rest}`;
}

/** What is passed on of a message's headers. One that comes several times stays so: BuildKit lists its methods that way. */
function forwardedHeaders(message: IncomingMessage): Record<string, string[]> {
  const named = new Set((message.headers.connection ?? '').split(',').map((one) => one.trim().toLowerCase()));
  const forwarded: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (values !== undefined && !ofConnection.has(name) && !named.has(name)) forwarded[name] = values;
  }
  return forwarded;
}

/**
 * Hands a request to an engine and its answer to the client, as they come: neither side runs ahead of the other, and when one
 * goes away the other is told. `body` replaces the request's own when that was read already.
 */
export async function passThrough(api: Api, exchange: Exchange, engine: Engine, body?: Buffer): Promise<void> {
  const { request, response } = exchange;
  const path = await engineTarget(exchange, engine.version);
  const headers: http.OutgoingHttpHeaders = forwardedHeaders(request);
  if (body !== undefined) headers['content-length'] = body.length;
  const upstream = await openRequest(engine.connect, { method: request.method ?? 'GET', path, headers });
  response.once('close', () => upstream.destroy());
  if (response.destroyed) {
    upstream.destroy();
    return;
  }
  const answered = responseOf(upstream);
  const cancel = exchange.path.startsWith('/distribution/')
    ? api.clock.after(registryAnswer_ms, () => upstream.destroy(new ShoalError('unavailable', noRegistry)))
    : () => {};
  answered.finally(cancel).catch(() => undefined);
  if (body !== undefined) upstream.end(body);
  else {
    // The engine may answer and hang up before it has read everything; its answer counts, not our broken write.
    pipeline(request, upstream).catch(() => undefined);
  }
  const answer = await answered;
  writeHead(response, answer);
  if (isNewExec(exchange, answer)) noteExec(api, engine, answer);
  await pipeline(answer, response).catch((thrown) => {
    api.log.debug('a stream through to the engine ended early', { path: exchange.path, error: String(thrown) });
    response.destroy();
  });
}

function isNewExec({ request, path }: Exchange, answer: IncomingMessage): boolean {
  return request.method === 'POST' && /^\/containers\/[^/]+\/exec$/.test(path) && answer.statusCode === 201;
}

/** An exec's id is all that its later requests have: it is read on its way through. */
function noteExec(api: Api, engine: Engine, answer: IncomingMessage): void {
  let text = '';
  answer.on('data', (chunk: Buffer) => {
    if (text.length < 1000) text += chunk.toString('latin1');
  });
  answer.once('end', () => {
    const id = /"Id":"([0-9a-f]{64})"/.exec(text)?.[1];
    if (id !== undefined) api.engines.rememberExec(id, engine);
  });
}

function writeHead(response: http.ServerResponse, answer: IncomingMessage): void {
  for (const [name, values] of Object.entries(forwardedHeaders(answer))) {
    if (!answeredByUs.has(name)) response.setHeader(name, values.length === 1 ? values[0]! : values);
  }
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage);
  response.flushHeaders(); // of a stream the head is news by itself
}

/**
 * A request that asks to leave HTTP (attach, exec, BuildKit's sessions): once the engine has agreed, bytes flow both ways as they are,
 * and each side's end of writing is passed on by itself. When the engine answers with HTTP, so do we.
 */
export async function passUpgrade(exchange: Exchange, engine: Engine, socket: Duplex, head: Buffer): Promise<void> {
  const { request } = exchange;
  if (request.headers['transfer-encoding'] !== undefined) {
    throw new ShoalError('invalid-argument', 'a request that upgrades must state its Content-Length');
  }
  const path = await engineTarget(exchange, engine.version);
  const headers = {
    ...forwardedHeaders(request),
    Connection: 'Upgrade',
    Upgrade: request.headers.upgrade ?? 'tcp',
  };
  const upstream = await openRequest(engine.connect, {
    method: request.method ?? 'GET',
    path,
    headers,
    mayUpgrade: true,
  });
  socket.once('close', () => upstream.destroy());
  const upgraded = new Promise<boolean>((resolve) => {
    upstream.once('upgrade', (answer: IncomingMessage, stream: Duplex, engineHead: Buffer) => {
      splice(socket, stream, answer, engineHead);
      resolve(true);
    });
    upstream.once('response', () => resolve(false));
    upstream.once('error', () => resolve(false));
  });
  const answered = responseOf(upstream);
  answered.catch(() => undefined); // of an upgrade it never comes
  sendBody(upstream, socket, head, Number(request.headers['content-length'] ?? 0));
  if (await upgraded) return;
  writeHead(exchange.response, await answered);
  await pipeline(await answered, exchange.response).catch(() => socket.destroy());
}

/** The request's body are the next `length` bytes of the connection; what follows belongs to the upgraded stream. */
function sendBody(upstream: http.ClientRequest, socket: Duplex, head: Buffer, length: number): void {
  let missing = length;
  const take = (chunk: Buffer) => {
    const body = chunk.subarray(0, missing);
    missing -= body.length;
    if (body.length > 0) upstream.write(body);
    if (missing > 0) return;
    socket.off('data', take);
    socket.pause();
    if (body.length < chunk.length) socket.unshift(chunk.subarray(body.length));
    upstream.end();
  };
  if (head.length > 0) socket.unshift(head);
  if (length === 0) upstream.end();
  else socket.on('data', take);
}

function splice(socket: Duplex, engine: Duplex, answer: IncomingMessage, engineHead: Buffer): void {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    lines.push(`${answer.rawHeaders[at]}: ${answer.rawHeaders[at + 1]}`);
  }
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (engineHead.length > 0) socket.write(engineHead);
  for (const [from, to] of [
    [socket, engine],
    [engine, socket],
  ] as const) {
    from.once('error', () => to.destroy());
    from.once('close', () => {
      if (from === socket) to.destroy();
      else to.end();
    });
    from.pipe(to);
  }
}
