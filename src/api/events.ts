import type { ServerResponse } from 'node:http';
import type { ClusterEvent } from '../manager/history/events.js';
import { ShoalError } from '../model/errors.js';
import { ask } from './engine.js';
import type { Api, Exchange } from './exchange.js';
import { type Filters, filtersOf } from './filters.js';
import { engineTarget } from './passthrough.js';
import type { Route } from './router.js';

export const eventRoutes: readonly Route[] = [{ method: 'GET', pattern: '/events', handle: events }];

/** Bytes that may wait for a client that does not read; beyond it the client is cut off, not the memory filled. */
const backlogMax_bytes = 4 * 1024 * 1024;
const lineMax_bytes = 1024 * 1024;

/** The engine's events and the cluster's in one stream, one JSON object a line. */
async function events(api: Api, exchange: Exchange): Promise<void> {
  const filters = filtersOf(exchange, undefined);
  const since = instant(exchange, 'since');
  const until = instant(exchange, 'until');
  await api.backend
    .manager()
    ?.read()
    .catch(() => undefined); // what was committed before the request belongs to the past; without a leader as far as it is known
  const { response, over } = exchange;
  const { own } = api.engines;
  const answer = await ask(own.streams, {
    method: 'GET',
    path: await engineTarget(exchange, own.version),
    signal: over,
  });
  response.writeHead(answer.statusCode ?? 502, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  let told: ReadonlySet<string> = new Set();
  const tell = (event: ClusterEvent) => {
    if (matches(filters, event) && !told.has(keyOf(event))) write(response, `${JSON.stringify(event)}\n`);
  };
  // What happens while the past is being read waits, and is not told twice.
  let waiting: ClusterEvent[] | undefined = [];
  const stop = api.events.listen((event) => (waiting ? waiting.push(event) : tell(event)));
  try {
    if (since !== undefined) {
      const past = await api.events.past(since, until ?? Number.MAX_VALUE);
      for (const event of past) tell(event);
      told = new Set(past.map(keyOf));
    }
    for (const event of waiting) tell(event);
    waiting = undefined;
    await copyLines(answer, response);
  } catch (thrown) {
    if (!response.destroyed) throw thrown; // else the client has gone, and the engine's stream with it
  } finally {
    stop();
    response.end();
  }
}

function keyOf(event: ClusterEvent): string {
  return `${event.timeNano}/${event.Type}/${event.Actor.ID}/${event.Action}`;
}

/** Passes whole lines on, so that ours never fall into the middle of one. */
async function copyLines(from: AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of from) {
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const end = text.lastIndexOf(0x0a) + 1;
    if (end > 0) write(response, text.subarray(0, end));
    rest = text.subarray(end);
    if (rest.length > lineMax_bytes) throw new ShoalError('unavailable', 'the engine sent an event without an end');
  }
  if (rest.length > 0) write(response, rest);
}

function write(response: ServerResponse, data: string | Buffer): void {
  if (response.destroyed || response.writableEnded) return;
  response.write(data);
  if (response.writableLength > backlogMax_bytes) response.destroy();
}

/** A `since` or `until` parameter (Unix seconds with a fraction) in nanoseconds. */
function instant(exchange: Exchange, name: string): number | undefined {
  const text = exchange.query.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) {
    throw new ShoalError('invalid-argument', `${name}: ${JSON.stringify(text.slice(0, 100))} must be a Unix timestamp`);
  }
  return Number(text) * 1e9;
}

function matches(filters: Filters, event: ClusterEvent): boolean {
  const { ID, Attributes } = event.Actor;
  if (!filters.matches('type', event.Type) || !filters.matches('event', event.Action)) return false;
  if (!filters.matches('scope', event.scope) || !filters.matchesLabels('label', Attributes)) return false;
  // A filter by object holds for events of its kind, and shuts out every other kind.
  return ['config', 'container', 'daemon', 'image', 'network', 'node', 'plugin', 'secret', 'service', 'volume'].every(
    (kind) =>
      !filters.has(kind) ||
      (kind === event.Type && (filters.matchesPrefix(kind, ID) || filters.matches(kind, Attributes.name ?? ''))),
  );
}
