import type http from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ShoalError } from '../model/errors.js';
import { openRequest, responseOf } from './engine.js';
import type { Engine } from './engines.js';
import type { Exchange } from './exchange.js';
import { forwardedHeaders, plainText, takeHead } from './forwarded-headers.js';
import { engineTarget } from './passthrough.js';

/**
 * A request that asks to leave HTTP (attach, exec, BuildKit's sessions): once the engine has agreed, bytes flow both ways as they are,
 * and each side's end of writing is passed on by itself. When the engine answers with HTTP, so do we.
 */
export async function passUpgrade(exchange: Exchange, engine: Engine, socket: Duplex, head: Buffer): Promise<void> {
  const { request, over } = exchange;
  if (request.headers['transfer-encoding'] !== undefined) {
    throw new ShoalError('invalid-argument', 'a request that upgrades must state its Content-Length');
  }
  const path = await engineTarget(exchange, engine.version);
  const headers = {
    ...forwardedHeaders(request),
    Connection: 'Upgrade',
    Upgrade: request.headers.upgrade ?? 'tcp',
  };
  const upstream = await openRequest(engine.streams, {
    method: request.method ?? 'GET',
    path,
    headers,
    signal: over,
    mayUpgrade: true,
  });
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
  takeHead(exchange.response, await answered);
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
  const lines = [`HTTP/1.1 101 ${plainText(answer.statusMessage ?? '')}`];
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    lines.push(`${answer.rawHeaders[at]}: ${plainText(answer.rawHeaders[at + 1]!)}`);
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
