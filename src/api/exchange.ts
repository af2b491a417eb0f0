import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'winston';
import type { Clock } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { Random } from '../model/random.js';
import type { Backend, ManagerBackend } from './backend.js';
import type { Engines } from './engines.js';
import type { EventLog } from './event-log.js';
import type { Limits } from './limits.js';

/** What every handler works with. */
export interface Api {
  backend: Backend;
  log: Logger;
  clock: Clock;
  random: Random;
  engines: Engines;
  events: EventLog;
  limits: Limits;
}

/** One request and its answer. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  /** Aborted once the client has all of its answer, or has gone: what an answer needs must not outlive it, whenever that is. */
  over: AbortSignal;
  /** Minor of the API version that the client speaks: 47 for v1.47. */
  minor: number;
  /** Whether the request named its version. */
  explicit: boolean;
  /** Without version prefix and query, percent-encoded. */
  path: string;
  query: URLSearchParams;
  /** Decoded path parameters, by their name in the route's pattern. */
  params: Readonly<Record<string, string>>;
}

export type Handler = (api: Api, exchange: Exchange) => Promise<void>;

/** Answers with a JSON body, as Docker's encoder writes it (a line feed at the end). */
export function answerJSON(exchange: Exchange, status: number, body: unknown): void {
  const text = `${JSON.stringify(body)}\n`;
  exchange.response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  exchange.response.end(text);
}

/** Answers without a body. */
export function answerEmpty(exchange: Exchange, status: number): void {
  exchange.response.writeHead(status, status === 204 ? {} : { 'Content-Length': 0 });
  exchange.response.end();
}

/** The manager that this node is; throws `not-a-manager` in Docker's words when it is none. */
export function managerOf(api: Api): ManagerBackend {
  const manager = api.backend.manager();
  if (manager !== undefined) return manager;
  const { state, error } = api.backend.local();
  if (state === 'error') {
    throw new ShoalError('not-a-manager', `This node cannot take up its place in its cluster: ${error}`);
  }
  if (state === 'locked') {
    throw new ShoalError(
      'not-a-manager',
      'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    );
  }
  throw new ShoalError(
    'not-a-manager',
    state === 'active'
      ? "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager."
      : state === 'pending'
        ? 'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.'
        : 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

/** The request's whole body. Throws `invalid-argument` when it is larger or slower than a JSON body may be. */
export async function readBody(api: Api, exchange: Exchange): Promise<Buffer> {
  const { request } = exchange;
  const { body_bytes, body_ms } = api.limits;
  const chunks: Buffer[] = [];
  let size = 0;
  const tooLarge = () =>
    new ShoalError('invalid-argument', `the request body is above the limit of ${body_bytes} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > body_bytes) throw tooLarge();
  return new Promise((resolve, reject) => {
    const stop = (result: () => void) => {
      cancel();
      request.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close').pause();
      result();
    };
    const cancel = api.clock.after(body_ms, () =>
      stop(() => reject(new ShoalError('invalid-argument', `the request body took longer than ${body_ms} ms`))),
    );
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > body_bytes) stop(() => reject(tooLarge()));
    });
    request.on('end', () => stop(() => resolve(Buffer.concat(chunks, size))));
    request.on('close', () =>
      stop(() => reject(new ShoalError('invalid-argument', 'the client hung up within the request body'))),
    );
  });
}

/**
 * The request's JSON body; undefined when there is none. Throws `invalid-argument` in Docker's words
 * (api/server/httputils CheckForJSON and ReadJSON).
 */
export async function readJSON(api: Api, exchange: Exchange): Promise<unknown> {
  const body = await readBody(api, exchange);
  if (body.length === 0) return undefined;
  const type = exchange.request.headers['content-type'] ?? '';
  const media = type.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (media === '')
    throw new ShoalError('invalid-argument', `malformed Content-Type header (${type}): mime: no media type`);
  if (media !== 'application/json') {
    throw new ShoalError('invalid-argument', `unsupported Content-Type header (${type}): must be 'application/json'`);
  }
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (thrown) {
    throw new ShoalError('invalid-argument', `invalid JSON: ${faultOf(thrown as Error)}`);
  }
}

/** What is wrong with a text that is no JSON, without the part of it that V8 quotes: it may be a secret's. */
function faultOf({ message }: Error): string {
  return message.replace(/ '[\s\S]*', (\.\.\.)?"[\s\S]*$/, '');
}

/** A boolean query parameter, by Docker's reading (httputils BoolValue): empty, 0, no, false and none are false. */
export function flag(exchange: Exchange, name: string, absent = false): boolean {
  const value = exchange.query.get(name);
  if (value === null) return absent;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

/** The `version` query parameter of an update. Throws `invalid-argument` in Docker's words when it is no number. */
export function versionParameter(exchange: Exchange, kind: string): number {
  const text = exchange.query.get('version') ?? '';
  const value = Number(text);
  if (!/^\d{1,20}$/.test(text) || value > Number.MAX_SAFE_INTEGER) {
    throw new ShoalError(
      'invalid-argument',
      `invalid ${kind} version '${text}': strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return value;
}

/** Resolves once the client has taken what waits for it, or has gone. */
export function drained(response: Exchange['response']): Promise<void> {
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.once('drain', done).once('close', done);
  });
}
