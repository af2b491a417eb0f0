import { type Flag, list } from './flag.js';

/** `--filter key=value`, any number of times. */
export const filterFlag: Flag<[string, string][]> = list(
  'filter',
  'Filter output based on conditions provided',
  (text): [string, string] => {
    if (text === '') throw new Error('invalid argument "": use NAME=VALUE');
    const equals = text.indexOf('=');
    if (equals < 0) throw new Error(`invalid filter '${text}': use NAME=VALUE`);
    return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
  },
  { short: 'f', kind: 'filter' },
);

/** Filters in the form of the API's query: a set of values for each key. Undefined when there are none. */
export function filtersQuery(pairs: readonly (readonly [string, string])[]): string | undefined {
  if (pairs.length === 0) return undefined;
  const filters: Record<string, Record<string, true>> = {};
  for (const [key, value] of pairs) filters[key] = { ...filters[key], [value]: true };
  return JSON.stringify(filters);
}
