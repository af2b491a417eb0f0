import http from 'node:http';
import type { Duplex } from 'node:stream';
import { messageOf, ShoalError } from '../model/errors.js';
import { KeptConnections } from './kept-connections.js';

/** Opens a byte stream to an engine's API. */
export type Connect = () => Promise<Duplex>;

/** What a request may go over. */
export type EngineLine = Connect | KeptConnections;

export interface EngineRequest {
  method: string;
  path: string;
  headers?: http.OutgoingHttpHeaders;
  /** Gives the request up, its answer too, for the reason that it names. */
  signal?: AbortSignal;
  /** The stream may become the caller's own by an upgrade, and then outlives the request. Not of a kept one. */
  mayUpgrade?: boolean;
}

/** Bytes of a JSON answer that we take from an engine. */
const answerLimit_bytes = 64 * 1024 * 1024;
/** How long a short question to an engine may take before it counts as hanging. */
const answerTime_ms = 10_000;

/**
 * A request to an engine, on a stream of its own or one of those that are kept; the caller writes the body and ends it. Throws
 * `unavailable`; kept connections tell of that by the request's `error`.
 */
export async function openRequest(from: EngineLine, request: EngineRequest): Promise<http.ClientRequest> {
  const { method, path, signal } = request;
  const headers = { ...request.headers, Host: 'docker' };
  let opened: http.ClientRequest;
  if (from instanceof KeptConnections) opened = http.request({ agent: from, method, path, headers });
  else {
    let stream: Duplex;
    try {
      stream = await from();
    } catch (thrown) {
      throw unreachable(thrown);
    }
    opened = http.request({ createConnection: () => stream, method, path, headers });
    let isUpgraded = false;
    if (request.mayUpgrade) opened.once('upgrade', () => (isUpgraded = true));
    opened.once('close', () => {
      if (!isUpgraded) stream.destroy();
    });
  }
  opened.on('error', () => {}); // `responseOf` tells of the first; the engine may break it once more after its answer
  const giveUp = () => opened.destroy(signal?.reason instanceof ShoalError ? signal.reason : undefined);
  if (signal?.aborted) giveUp();
  else signal?.addEventListener('abort', giveUp);
  return opened;
}

/** The answer's head; its body is still to be read. Throws `unavailable` when the stream breaks before. */
export function responseOf(request: http.ClientRequest): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', (thrown) => reject(unreachable(thrown)));
    // An answer that leaves HTTP where nobody asked for that is none, and no error either.
    request.once('close', () => reject(unreachable(new Error('it hung up without an answer'))));
  });
}

/**
 * The head of the answer to a request that has no body and changes nothing. The engine may let go of a kept connection in the moment in
 * which it is used again: then it is asked once more, on a stream of its own. Throws `unavailable`.
 */
export async function ask(line: EngineLine, question: EngineRequest): Promise<http.IncomingMessage> {
  const request = await openRequest(line, question);
  const answered = responseOf(request);
  request.end();
  try {
    return await answered;
  } catch (thrown) {
    const mayBeStale = line instanceof KeptConnections && request.reusedSocket && !question.signal?.aborted;
    if (mayBeStale) return ask(line.connect, question);
    throw thrown;
  }
}

/** A short GET: the answer's head and its JSON body. Throws `unavailable` for an engine that breaks off, hangs, or does not speak JSON. */
export async function getJSON(
  from: EngineLine,
  path: string,
  time_ms = answerTime_ms,
): Promise<{ response: http.IncomingMessage; body: unknown }> {
  const call = new AbortController();
  const timer = setTimeout(() => call.abort(unreachable(new Error('it does not answer'))), time_ms);
  try {
    const response = await ask(from, { method: 'GET', path, signal: call.signal });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > answerLimit_bytes) throw new Error('its answer is too large');
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    return { response, body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text };
  } catch (thrown) {
    throw call.signal.aborted ? call.signal.reason : unreachable(thrown);
  } finally {
    clearTimeout(timer);
    call.abort();
  }
}

function unreachable(thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown;
  return new ShoalError('unavailable', `Cannot reach the Docker Engine: ${messageOf(thrown)}`, { cause: thrown });
}
