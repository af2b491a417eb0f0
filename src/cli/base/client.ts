import { Agent, type IncomingMessage, request } from 'node:http';
import https from 'node:https';
import type { ClientTLS } from './client-tls.js';
import { CliError, DaemonError, NoDaemonError } from './errors.js';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  query?: Query | undefined;
  body?: unknown;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Gives up after this long. Absent: waits for as long as it takes. */
  timeout_ms?: number;
}

/** The Docker Engine API of one daemon. Every method throws `DaemonError` for an answer of 400 or above. */
export interface Client {
  /** As given by the user: unix:///path or tcp://host:port. */
  readonly host: string;
  get<T>(path: string, call?: Call): Promise<T>;
  post<T>(path: string, call?: Call): Promise<T>;
  delete<T>(path: string, call?: Call): Promise<T>;
  /** The answer as it comes, not read yet. */
  stream(path: string, call?: Call): Promise<IncomingMessage>;
  close(): void;
}

const apiVersion = 'v1.47';
const defaultPorts = { plain: 2375, tls: 2376 }; // Docker's

/** Where a host string points. Throws `CliError` for anything but unix:// and tcp:// (and http://). */
export function parseHost(
  host: string,
  defaultPort = defaultPorts.plain,
): { socketPath: string } | { host: string; port: number } {
  const unix = /^unix:\/\/(.+)$/s.exec(host);
  if (unix !== null) return { socketPath: unix[1]! };
  const tcp = /^(?:tcp|http):\/\/(\[[0-9a-fA-F:.]+\]|[^:/?#@[\]\s]+)(?::(\d{1,5}))?\/?$/.exec(host);
  const port = tcp?.[2] === undefined ? defaultPort : Number(tcp[2]);
  if (tcp === null || port < 1 || port > 65535) {
    throw new CliError(
      `unable to parse docker host ${JSON.stringify(host)}: use unix:///path/to.sock or tcp://HOST:PORT`,
    );
  }
  return { host: tcp[1]!.replace(/^\[|\]$/g, ''), port };
}

/** A client that connects when first asked something, and keeps its connection between calls; over TCP with TLS when that is given. */
export function createClient(host: string, tls?: ClientTLS): Client {
  const target = parseHost(host, tls === undefined ? defaultPorts.plain : defaultPorts.tls);
  const isSecure = tls !== undefined && 'host' in target;
  const agent = isSecure ? new https.Agent({ keepAlive: true, ...tls }) : new Agent({ keepAlive: true });
  const send = isSecure ? https.request : request;

  function open(method: string, path: string, call: Call = {}): Promise<IncomingMessage> {
    const payload = call.body === undefined ? undefined : JSON.stringify(call.body);
    return new Promise((resolve, reject) => {
      const outgoing = send(
        {
          ...target,
          agent,
          method,
          path: `/${apiVersion}${path}${queryString(call.query)}`,
          headers: {
            ...call.headers,
            ...(payload === undefined
              ? {}
              : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(payload) }),
          },
        },
        resolve,
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => reject(explain(host, error)));
      if (call.timeout_ms !== undefined) {
        outgoing.setTimeout(call.timeout_ms, () => outgoing.destroy(new Error('no answer in time')));
      }
      outgoing.end(payload);
    });
  }

  async function ask<T>(method: string, path: string, call?: Call): Promise<T> {
    const response = await open(method, path, call);
    const body = await read(response, host);
    if ((response.statusCode ?? 500) >= 400) throw refusal(response, body);
    if (body === '') return undefined as T;
    try {
      return JSON.parse(body) as T;
    } catch {
      throw new CliError(`what answers at ${host} is not the Docker Engine API: ${path} gave ${body.slice(0, 80)}`);
    }
  }

  return {
    host,
    get: (path, call) => ask('GET', path, call),
    post: (path, call) => ask('POST', path, call),
    delete: (path, call) => ask('DELETE', path, call),
    async stream(path, call) {
      const response = await open('GET', path, call);
      if ((response.statusCode ?? 500) >= 400) throw refusal(response, await read(response, host));
      return response;
    },
    close: () => agent.destroy(),
  };
}

function queryString(query: Query = {}): string {
  const pairs = Object.entries(query).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, typeof value === 'boolean' ? (value ? '1' : '0') : String(value)]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

async function read(response: IncomingMessage, host: string): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (thrown) {
    throw explain(host, thrown as NodeJS.ErrnoException);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusal(response: IncomingMessage, body: string): DaemonError {
  const status = response.statusCode ?? 500;
  let message = body.trim();
  try {
    const parsed = JSON.parse(body) as { message?: unknown };
    if (typeof parsed.message === 'string') message = parsed.message;
  } catch {
    // not the API's error body: what came is all there is to show
  }
  if (message === '') message = `${status} ${response.statusMessage ?? ''}`.trim();
  return new DaemonError(status, message, `Error response from daemon: ${inOurWords(message)}`);
}

/** The daemon names commands as Docker does; who reads it here has typed `shoal`. */
function inOurWords(message: string): string {
  return message.replace(/(["`])docker (?=(?:info|node|service|swarm)\b)/g, '$1shoal ');
}

/** A failed connection in words that say what to do. */
function explain(host: string, error: NodeJS.ErrnoException): CliError {
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new NoDaemonError(
      `permission denied while trying to connect to the Shoal daemon at ${host}. Run the command as root, or ask for access to the socket.`,
      { cause: error },
    );
  }
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') {
    return new CliError(`the Shoal daemon at ${host} closed the connection before it answered`, { cause: error });
  }
  if (error.code === undefined)
    return new CliError(`${error.message} from the Shoal daemon at ${host}`, { cause: error });
  const isNamed = error.syscall !== 'getaddrinfo';
  return new NoDaemonError(
    `Cannot connect to the Shoal daemon at ${host}${isNamed ? '. Is the daemon running?' : ': there is no host of that name.'}\n` +
      'Start it with "shoal daemon", or name another with -H or SHOAL_HOST.',
    { cause: error },
  );
}
