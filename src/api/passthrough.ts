import type http from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ShoalError } from '../model/errors.js';
import { ask, type EngineLine, type EngineRequest, openRequest, responseOf } from './engine.js';
import type { EngineVersion } from './engine-version.js';
import type { Engine } from './engines.js';
import { type Api, drained, type Exchange } from './exchange.js';
import { forwardedHeaders, takeHead } from './forwarded-headers.js';

/** Clients ask a registry for a digest before they create a service, and do without when they get none: they are not kept waiting. */
const registryAnswer_ms = 5_000;
const noRegistry = `the registry did not answer within ${registryAnswer_ms} ms`;

/** Answers that are large, or go on for as long as the engine has something to say. */
const streamed = /^\/(containers\/[^/]+\/(logs|stats|export|archive)|images\/(.+\/)?get)$/;

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
  const { request, response, over } = exchange;
  const path = await engineTarget(exchange, engine.version);
  const headers: http.OutgoingHttpHeaders = forwardedHeaders(request);
  if (body !== undefined) headers['content-length'] = body.length;
  const asked: EngineRequest = { method: request.method ?? 'GET', path, headers, signal: over };
  const answer = isQuestion(exchange)
    ? await ask(lineFor(exchange, engine), asked)
    : await answerTo(api, exchange, await openRequest(engine.connect, asked), body);
  takeHead(response, answer);
  try {
    if (isNewExec(exchange, answer)) response.end(noteExec(api, engine, await whole(answer)));
    else if (answer.complete) response.end(answer.read() ?? undefined);
    else await passStream(answer, response);
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

function lineFor({ request, path }: Exchange, engine: Engine): EngineLine {
  return request.method === 'GET' && streamed.test(path) ? engine.streams : engine.kept;
}

/** The head of the engine's answer to what may be asked only once. Throws `unavailable`. */
async function answerTo(
  api: Api,
  { request, path }: Exchange,
  upstream: http.ClientRequest,
  body: Buffer | undefined,
): Promise<IncomingMessage> {
  const answered = responseOf(upstream);
  const cancel = isOfRegistry(path)
    ? api.clock.after(registryAnswer_ms, () => upstream.destroy(new ShoalError('unavailable', noRegistry)))
    : () => {};
  // The engine may answer and hang up before it has read everything; its answer counts, not our broken write.
  if (body === undefined) pipeline(request, upstream).catch(() => undefined);
  else upstream.end(body);
  try {
    return await answered;
  } finally {
    cancel();
  }
}

async function passStream(answer: IncomingMessage, response: http.ServerResponse): Promise<void> {
  response.flushHeaders(); // of a stream the head is news by itself
  // What one read of the engine brought, in chunks by the hundred, goes on as one.
  for await (const bytes of answer as AsyncIterable<Buffer>) {
    if (!response.write(bytes)) await drained(response);
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
