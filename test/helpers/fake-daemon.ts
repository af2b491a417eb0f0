import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Recorded {
  method: string;
  /** Without the version prefix and the query. */
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/** What one request gets: a value is 200 with JSON; `status` and `body` say otherwise; a function decides for itself. */
export type Answer = unknown | ((request: Recorded, response: ServerResponse) => unknown);

export class Refusal {
  constructor(
    readonly status: number,
    readonly message: string,
  ) {}
}

/** A daemon's REST API that answers from a table (`GET /services` …) and remembers what it was asked. */
export interface FakeDaemon {
  readonly host: string;
  readonly requests: Recorded[];
  /** Routes by method and path; a path may end in `*`. What none has is 404. */
  readonly routes: Record<string, Answer>;
  /** The last body sent to a route. */
  sent(route: string): unknown;
  close(): Promise<void>;
}

export async function startFakeDaemon(routes: Record<string, Answer> = {}): Promise<FakeDaemon> {
  const directory = mkdtempSync(join(tmpdir(), 'shoal-fake-'));
  const socket = join(directory, 'api.sock');
  const requests: Recorded[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(incoming.url ?? '/', 'http://fake');
    const request: Recorded = {
      method: incoming.method ?? '',
      path: url.pathname.replace(/^\/v1\.\d+/, ''),
      query: Object.fromEntries(url.searchParams),
      headers: incoming.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    requests.push(request);
    respond(answerTo(routes, request, response), response);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    host: `unix://${socket}`,
    requests,
    routes,
    sent: (route) => requests.findLast((each) => `${each.method} ${each.path}` === route)?.body,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function answerTo(routes: Record<string, Answer>, request: Recorded, response: ServerResponse): unknown {
  const wanted = `${request.method} ${request.path}`;
  const route =
    Object.keys(routes).find((each) => each === wanted) ??
    Object.keys(routes).find((each) => each.endsWith('*') && wanted.startsWith(each.slice(0, -1)));
  if (route === undefined) return new Refusal(404, `page not found: ${wanted}`);
  const answer = routes[route];
  return typeof answer === 'function' ? answer(request, response) : answer;
}

function respond(answer: unknown, response: ServerResponse): void {
  if (response.writableEnded || response.headersSent) return;
  const refused = answer instanceof Refusal;
  response.statusCode = refused ? answer.status : 200;
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Api-Version', '1.47');
  response.end(answer === undefined ? '' : JSON.stringify(refused ? { message: answer.message } : answer));
}
