import { ShoalError } from '../model/errors.js';
import type { Exchange } from './exchange.js';

/** The `filters` query parameter: values by the filter's name. A name with several values matches any of them. */
export class Filters {
  private readonly values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.values = values;
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  get(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }

  /** Whether the filter is not given, or one of its values is `value`. */
  matches(name: string, value: string): boolean {
    return !this.has(name) || this.get(name).includes(value);
  }

  /** Whether the filter is not given, or `value` begins with one of its values. */
  matchesPrefix(name: string, value: string): boolean {
    return !this.has(name) || this.get(name).some((prefix) => value.startsWith(prefix));
  }

  /** Whether the labels have every one the filter names, as `key` or `key=value`. */
  matchesLabels(name: string, labels: Readonly<Record<string, string>>): boolean {
    return this.get(name).every((wanted) => {
      const at = wanted.indexOf('=');
      const key = at < 0 ? wanted : wanted.slice(0, at);
      const value = at < 0 ? '' : wanted.slice(at + 1);
      return Object.hasOwn(labels, key) && (value === '' || labels[key] === value);
    });
  }

  /** Throws `invalid-argument` in Docker's words for a value outside `allowed`. */
  checkOneOf(name: string, allowed: readonly string[]): void {
    for (const value of this.get(name)) {
      if (!allowed.includes(value)) {
        const shown = value.length > 100 ? `${value.slice(0, 100)}…` : value;
        throw new ShoalError(
          'invalid-argument',
          `Invalid ${name} filter: '${shown}', expected one of ${allowed.filter(Boolean).join(', ')}`,
        );
      }
    }
  }
}

/** The request's filters in either of Docker's forms, `{"name":["a"]}` and `{"name":{"a":true}}`. Throws `invalid-argument` in Docker's words. `allowed` undefined: any name. */
export function filtersOf(exchange: Exchange, allowed: readonly string[] | undefined): Filters {
  const text = exchange.query.get('filters') ?? '';
  const values = text === '' ? new Map<string, readonly string[]>() : parse(text);
  for (const name of values.keys()) {
    if (allowed !== undefined && !allowed.includes(name)) {
      const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
      throw new ShoalError('invalid-argument', `Invalid filter '${shown}', expected one of ${allowed.join(', ')}`);
    }
  }
  return new Filters(values);
}

function parse(text: string): Map<string, readonly string[]> {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (thrown) {
    throw new ShoalError('invalid-argument', `invalid filter: filters must be JSON: ${(thrown as Error).message}`);
  }
  if (body === null) return new Map();
  const malformed = 'invalid filter: filters must be {"name": ["value"]} or {"name": {"value": true}}';
  if (typeof body !== 'object' || Array.isArray(body)) throw new ShoalError('invalid-argument', malformed);
  return new Map(
    Object.entries(body).map(([name, given]: [string, unknown]) => {
      if (Array.isArray(given) && given.every((one) => typeof one === 'string')) return [name, given];
      if (given !== null && typeof given === 'object' && !Array.isArray(given)) {
        if (Object.values(given).every((one) => typeof one === 'boolean')) return [name, Object.keys(given)];
      }
      throw new ShoalError('invalid-argument', malformed);
    }),
  );
}
