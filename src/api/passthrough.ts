import type http from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ShoalError } from '../model/errors.js';
import { type EngineLine, openRequest, responseOf } from './engine.js';
import type { EngineVersion } from './engine-version.js';
import type { Engine } from './engines.js';
import { type Api, drained, type Exchange } from './exchange.js';
import { forwardedHeaders, takeHead } from './forwarded-headers.js';

/** Clients ask a registry for a digest before they create a service, and do without when they get none: they are not kept waiting. */
const registryAnswer_ms = 5_000;
const noRegistry = `the registry did not answer within ${registryAnswer_ms} ms`;

/** How long bytes of a busy stream wait for more of it, and how many need not. */
const gather_ms = 1;
const gathered_bytes = 16 * 1024;

/** The request's target for an engine that speaks API versions up to 1.`minor`. */
export async function engineTarget(exchange: Exchange, version: EngineVersion): Promise<string> {
  const query = exchange.request.url?.indexOf('?') ?? -1;
  const rest = `${exchange.path}${query < 0 ? '' : exchange.request.url!.slice(query)}`;
  if (!exchange.explicit) return rest;
  return `/v1.${Math.min(exchange.minor, await version.minor())}${rest}`;
}

/**
 * Hands a request to an engine and its answer to the client, as they come: neither side runs ahead of the other, and when one
 * goes away the other is told. `body` replaces the request's own when that was read already.
 */
export async function passThrough(api: Api, exchange: Exchange, engine: Engine, body?: Buffer): Promise<void> {
  const path = await engineTarget(exchange, engine.version);
  const line = isQuestion(exchange) ? engine.kept : engine.connect;
  const answer = await asked(api, exchange, engine, line, path, body);
  if (answer === undefined) return;
  const { response } = exchange;
  takeHead(response, answer);
  try {
    if (isNewExec(exchange, answer)) response.end(noteExec(api, engine, await whole(answer)));
    else if (answer.complete) response.end(answer.read() ?? undefined);
    else await passStream(api, answer, response);
  } catch (thrown) {
    api.log.debug('a stream through to the engine ended early', { path: exchange.path, error: String(thrown) });
    response.destroy();
  }
}

/** Whether the request changes nothing, has no body and is answered by the engine itself: one that may be asked again. */
function isQuestion({ request, path }: Exchange): boolean {
  const { method, headers } = request;
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return (method === 'GET' || method === 'HEAD') && !hasBody && !isOfRegistry(path);
}

function isOfRegistry(path: string): boolean {
  return path.startsWith('/distribution/');
}

/** The head of the engine's answer; undefined when the client has gone. Throws `unavailable`. */
async function asked(
  api: Api,
  exchange: Exchange,
  engine: Engine,
  line: EngineLine,
  path: string,
  body: Buffer | undefined,
): Promise<IncomingMessage | undefined> {
  const { request, response } = exchange;
  const headers: http.OutgoingHttpHeaders = forwardedHeaders(request);
  if (body !== undefined) headers['content-length'] = body.length;
  const upstream = await openRequest(line, { method: request.method ?? 'GET', path, headers });
  const hangUp = () => upstream.destroy();
  response.once('close', hangUp);
  if (response.destroyed) {
    upstream.on('error', () => {}).destroy();
    return undefined;
  }
  const cancel = isOfRegistry(exchange.path)
    ? api.clock.after(registryAnswer_ms, () => upstream.destroy(new ShoalError('unavailable', noRegistry)))
    : () => {};
  const answered = responseOf(upstream);
  if (body !== undefined || line === engine.kept) upstream.end(body);
  else {
    // The engine may answer and hang up before it has read everything; its answer counts, not our broken write.
    pipeline(request, upstream).catch(() => undefined);
  }
  try {
    return await answered;
  } catch (thrown) {
    response.off('close', hangUp);
    // The engine may have let go of a kept connection in the moment in which it was used again.
    if (!upstream.reusedSocket || response.destroyed) throw thrown;
    return asked(api, exchange, engine, engine.connect, path, body);
  } finally {
    cancel();
  }
}

/**
 * The body as it comes. What comes together goes on together: engines write a log line by line, each a chunk of its own, and to pass
 * them on one by one costs as much as to make them. So what follows upon other bytes at once waits for a moment, for its like.
 */
async function passStream(api: Api, answer: IncomingMessage, response: http.ServerResponse): Promise<void> {
  response.flushHeaders(); // of a stream the head is news by itself
  let written_ms = Number.NEGATIVE_INFINITY;
  for await (const bytes of answer as AsyncIterable<Buffer>) {
    const hasRoom = response.write(bytes);
    const now_ms = api.clock.monotonic();
    if (!hasRoom) await drained(response);
    else if (bytes.length < gathered_bytes && now_ms - written_ms < 2 * gather_ms) {
      await new Promise<void>((resolve) => api.clock.after(gather_ms, resolve));
    }
    written_ms = now_ms;
    if (response.destroyed) return;
  }
  response.end();
}

function isNewExec({ request, path }: Exchange, answer: IncomingMessage): boolean {
  return request.method === 'POST' && /^\/containers\/[^/]+\/exec$/.test(path) && answer.statusCode === 201;
}

async function whole(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const bytes of answer) parts.push(bytes as Buffer);
  return Buffer.concat(parts);
}

/** An exec's id is all that its later requests have: it is read on its way through. */
function noteExec(api: Api, engine: Engine, body: Buffer): Buffer {
  const id = /"Id":"([0-9a-f]{64})"/.exec(body.toString('latin1'))?.[1];
  if (id !== undefined) api.engines.rememberExec(id, engine);
  return body;
}
