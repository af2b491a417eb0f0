import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'winston';
import type { History } from '../manager/history/history.js';
import { type Clock, systemClock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { type Random, systemRandom } from '../model/random.js';
import { Admission, Pipelines, SilentConnections } from './admission.js';
import type { Backend } from './backend.js';
import { refuseUnforeseen } from './dry-run.js';
import { Engines } from './engines.js';
import { EventLog } from './event-log.js';
import { type Api, answerJSON, type Exchange } from './exchange.js';
import { defaultLimits, type Limits } from './limits.js';
import { type ApiAddress, type ApiTLS, listenTCP, listenUnix } from './listening.js';
import { passThrough } from './passthrough.js';
import { type Match, Router } from './router.js';
import { routes } from './routes.js';
import { passUpgrade } from './upgrade.js';
import { apiVersion, splitVersion } from './version.js';

export interface ApiServerOptions {
  log: Logger;
  clock?: Clock;
  random?: Random;
  /** Where the cluster's events are remembered, anew each time this node becomes a manager; in memory when not given. */
  newHistory?: () => History;
  limits?: Partial<Limits>;
}

export interface ApiServer {
  /** Listens at one more address; resolves with what it became. A unix socket that nobody answers on any more is replaced. */
  listen(address: ApiAddress): Promise<ApiAddress>;
  /** Stops listening, ends every open request and stream, and removes the unix sockets. */
  close(): Promise<void>;
}

const messageMax = 1500;
/** How long the rest of a refused request is read and thrown away. */
const linger_ms = 1_000;

/** The Docker Engine API of this node: the cluster's part is answered here, the rest by the node's own engine. */
export function createApiServer(backend: Backend, options: ApiServerOptions): ApiServer {
  const clock = options.clock ?? systemClock;
  const api: Api = {
    backend,
    log: options.log,
    clock,
    random: options.random ?? systemRandom,
    engines: new Engines(backend, clock),
    events: new EventLog(() => clock.now(), options.newHistory),
    limits: { ...defaultLimits, ...options.limits },
  };
  backend.onManager(() => api.events.follow(backend.manager()));
  const router = new Router(routes);
  const servers: http.Server[] = [];
  const upgraded = new Set<Duplex>();

  return {
    async listen(address) {
      const tls = 'path' in address ? undefined : address.tls;
      const admission = new Admission(api.limits.requests);
      const silent = new SilentConnections(api.limits.silent);
      const pipelines = new Pipelines(api.limits.pipelined);
      const server = newServer(api.limits, tls, (request, response) => {
        silent.asked(request.socket);
        if (!pipelines.admits(request.socket, response)) return;
        if (admission.admits(response)) void serve(api, router, request, response);
        else answerError(api, newExchange(api, request, response), tooMany());
      });
      server.on('connection', (socket) => silent.opened(socket));
      server.on('tlsClientError', (error, socket) => {
        options.log.warn('no TLS connection to the API', { from: socket.remoteAddress, reason: messageOf(error) });
        socket.destroy();
      });
      server.on('upgrade', (request: http.IncomingMessage, socket: Duplex, head: Buffer) => {
        silent.asked(request.socket);
        upgraded.add(socket);
        socket.once('close', () => upgraded.delete(socket));
        socket.on('error', () => socket.destroy());
        if (admission.admits(socket)) void serveUpgrade(api, router, request, socket, head);
        else socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      });
      servers.push(server);
      return 'path' in address ? listenUnix(server, address, options.log) : listenTCP(server, address);
    },
    async close() {
      api.events.follow(undefined);
      await api.engines.follow(undefined);
      api.engines.close();
      await Promise.all(
        servers.splice(0).map((server) => {
          const closed = new Promise<void>((resolve) => server.close(() => resolve()));
          server.closeAllConnections();
          for (const socket of upgraded) socket.destroy();
          return closed;
        }),
      );
    },
  };
}

function newServer(limits: Limits, tls: ApiTLS | undefined, listener: http.RequestListener): http.Server {
  const bounds = {
    maxHeaderSize: limits.headers_bytes,
    headersTimeout: limits.headers_ms,
    requestTimeout: 0, // an image may be uploaded for hours; readBody bounds what we read ourselves
    keepAliveTimeout: limits.idle_ms,
    connectionsCheckingInterval: Math.min(2_000, limits.headers_ms),
  };
  const server =
    tls === undefined
      ? http.createServer(bounds, listener)
      : https.createServer(
          {
            ...bounds,
            ...tls,
            minVersion: 'TLSv1.2', // dockerd's
            handshakeTimeout: limits.headers_ms,
            requestCert: tls.ca !== undefined,
            rejectUnauthorized: tls.ca !== undefined,
          },
          listener,
        );
  server.maxConnections = limits.connections;
  return server;
}

function tooMany(): ShoalError {
  return new ShoalError('overloaded', 'too many requests are under way on this daemon. Try again later.');
}

async function serve(
  api: Api,
  router: Router,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const exchange = newExchange(api, request, response);
  try {
    const match = route(exchange, router);
    await api.engines.follow(api.backend.manager());
    if (match === undefined) await passThrough(api, exchange, await api.engines.of(exchange));
    else await match.handle(api, exchange);
  } catch (thrown) {
    answerError(api, exchange, thrown);
  }
}

/** A request that asks to change the protocol. We never do; an engine may. */
async function serveUpgrade(
  api: Api,
  router: Router,
  request: http.IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const response = new http.ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as net.Socket);
  response.once('finish', () => socket.end());
  const exchange = newExchange(api, request, response);
  try {
    const match = route(exchange, router);
    if (match === undefined) {
      await api.engines.follow(api.backend.manager());
      await passUpgrade(exchange, await api.engines.of(exchange), socket, head);
    } else if (request.method === 'GET' || request.method === 'HEAD') {
      await match.handle(api, exchange); // a client that offers HTTP/2 with every request, as curl --http2 does
    } else {
      throw new ShoalError('invalid-argument', 'Upgrade: this endpoint does not change the protocol');
    }
  } catch (thrown) {
    answerError(api, exchange, thrown);
  }
}

function newExchange(api: Api, request: http.IncomingMessage, response: http.ServerResponse): Exchange {
  response.setHeader('Api-Version', apiVersion);
  response.setHeader('Docker-Experimental', 'false');
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', `Shoal/${api.backend.version} (linux)`);
  response.on('error', () => response.destroy());
  const over = new AbortController();
  response.once('close', () => over.abort());
  return {
    request,
    response,
    over: over.signal,
    minor: 0,
    explicit: false,
    path: '',
    query: new URLSearchParams(),
    params: {},
  };
}

/** Reads the request's target into the exchange; the result is who answers, undefined the engine. Throws ShoalError. */
function route(exchange: Exchange, router: Router): Match | undefined {
  const target = exchange.request.url ?? '/';
  const mark = target.indexOf('?');
  const { minor, path, explicit } = splitVersion(mark < 0 ? target : target.slice(0, mark));
  exchange.minor = minor;
  exchange.explicit = explicit;
  exchange.path = path;
  exchange.query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  const match = router.match(exchange.request.method ?? 'GET', path);
  refuseUnforeseen(exchange, match?.isForeseen === true);
  if (match !== undefined) exchange.params = match.params;
  return match;
}

function answerError(api: Api, exchange: Exchange, thrown: unknown): void {
  const { request, response } = exchange;
  const status = thrown instanceof ShoalError ? thrown.status : 500;
  if (status === 500) api.log.warn('request failed', { method: request.method, path: exchange.path, error: thrown });
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const message = messageOf(thrown).slice(0, messageMax); // it may quote what the client sent
  if (request.complete) answerJSON(exchange, status, { message });
  else answerEarly(api, exchange, status, message);
}

/**
 * Answers before the request has come whole. The rest is thrown away for a moment: hanging up on a client that still writes would
 * lose it the answer.
 */
function answerEarly(api: Api, { request, response }: Exchange, status: number, message: string): void {
  const text = `${JSON.stringify({ message })}\n`;
  response.writeHead(status, {
    Connection: 'close',
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.write(text);
  const end = () => {
    cancel();
    response.end();
  };
  const cancel = api.clock.after(linger_ms, end);
  request.once('end', end);
  request.once('close', end);
  request.resume();
}
