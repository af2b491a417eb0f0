import { isDeepStrictEqual } from 'node:util';
import { preview } from '../manager/preview/preview.js';
import type { MessageName, MessageTypes } from '../model/codec.js';
import { complete } from '../model/codec.js';
import { ShoalError } from '../model/errors.js';
import { toJSON } from '../model/json.js';
import type { OperationInit, PreviewChange } from '../model/types.js';
import type { ManagerBackend } from './backend.js';
import { type Api, answerJSON, type Exchange, flag } from './exchange.js';

/** Whether the request asks only what it would do: `?dryRun=true`, which Docker does not know. */
export function isDryRun(exchange: Exchange): boolean {
  return flag(exchange, 'dryRun');
}

/** Whoever asks only what a request would do must not have it done: what cannot be foreseen is refused, the engine's endpoints included. */
export function refuseUnforeseen(exchange: Exchange, isForeseen: boolean): void {
  const { method = 'GET' } = exchange.request;
  if (isForeseen || reading.has(method) || !isDryRun(exchange)) return;
  throw new ShoalError(
    'invalid-argument',
    `dryRun: ${method} ${exchange.path} cannot be asked what it would do; creating, updating and removing a service, and updating a node, can`,
  );
}

const reading: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Answers with what would follow from the operations: a `Preview`. Refuses what the real request would be refused for. */
export async function answerDryRun(
  api: Api,
  exchange: Exchange,
  manager: ManagerBackend,
  operations: readonly OperationInit[],
  changes: readonly PreviewChange[] = [],
): Promise<void> {
  const found = await preview(await manager.read(), operations, api.clock.now(), api.random);
  answerJSON(exchange, 200, toJSON('Preview', complete('Preview', { ...found, Changes: changes })));
}

/** The fields in which two specs of a kind differ, by their path; as JSON. */
export function specChanges<N extends MessageName>(
  name: N,
  before: MessageTypes[N] | null,
  after: MessageTypes[N] | null,
): PreviewChange[] {
  const changes: PreviewChange[] = [];
  compare(
    '',
    before === null ? undefined : toJSON(name, before),
    after === null ? undefined : toJSON(name, after),
    changes,
  );
  return changes;
}

type Fields = Readonly<Record<string, unknown>>;

function compare(field: string, before: unknown, after: unknown, changes: PreviewChange[]): void {
  if (isDeepStrictEqual(before, after)) return;
  if (isText(before) || isText(after)) {
    compareTexts(field, before ?? [], after ?? [], changes);
    return;
  }
  const parts = [before, after].map(fieldsOf);
  if (
    parts.some((part) => part !== undefined) &&
    [before, after].every((value, at) => value === undefined || parts[at])
  ) {
    const [left = {}, right = {}] = parts;
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    for (const key of keys) {
      const path =
        field === '' ? key : /^[A-Za-z0-9_]+$/.test(key) ? `${field}.${key}` : `${field}[${JSON.stringify(key)}]`;
      compare(path, left[key], right[key], changes);
    }
    if (keys.size > 0) return;
  }
  changes.push({ Field: field, Before: shown(before), After: shown(after) });
}

/** An object's fields; a list's items by their number. */
function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function isText(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
}

/** Lists of words, such as `NAME=value`: a name whose value changes is one change. */
function compareTexts(field: string, before: unknown, after: unknown, changes: PreviewChange[]): void {
  const [left, right] = [before as string[], after as string[]];
  const gone = left.filter((item) => !right.includes(item));
  const fresh = right.filter((item) => !left.includes(item));
  if (gone.length + fresh.length === 0) {
    changes.push({ Field: field, Before: shown(before), After: shown(after) }); // another order, or how often
    return;
  }
  const nameOf = (item: string) => item.split('=', 1)[0];
  for (const item of gone) {
    const at = fresh.findIndex((other) => item.includes('=') && nameOf(other) === nameOf(item));
    const [successor] = at < 0 ? [] : fresh.splice(at, 1);
    changes.push({ Field: field, Before: shown(item), After: shown(successor) });
  }
  for (const item of fresh) changes.push({ Field: field, Before: '', After: shown(item) });
}

function shown(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value);
}
