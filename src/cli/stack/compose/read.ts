import { CliError } from '../../base/errors.js';

/** A string in which variables were replaced: it may stand for what a number or a switch was wanted for. */
export class Substituted {
  constructor(readonly text: string) {}
}

/** Takes a part of a compose file apart. Throws `CliError` in Docker's words that name the place (`services.web.image`). */
export type Read<T> = (value: unknown, where: string) => T;
export type Of<R> = R extends Read<infer T> ? T : never;

export function wrong(where: string, what: string): CliError {
  return new CliError(`${where === '' ? '(root)' : where} ${what}`);
}

const plain = (value: unknown) => (value instanceof Substituted ? value.text : value);
const below = (where: string, key: string | number) => (where === '' ? String(key) : `${where}.${key}`);

export const text: Read<string> = (value, where) => {
  const given = plain(value);
  if (typeof given !== 'string') throw wrong(where, 'must be a string');
  return given;
};

export const integer: Read<number> = (value, where) => {
  const given = value instanceof Substituted && /^[-+]?\d+$/.test(value.text) ? Number(value.text) : value;
  if (typeof given !== 'number' || !Number.isSafeInteger(given)) throw wrong(where, 'must be a integer');
  return given;
};

export const number: Read<number> = (value, where) => {
  const given = value instanceof Substituted && value.text.trim() !== '' ? Number(value.text) : value;
  if (typeof given !== 'number' || !Number.isFinite(given)) throw wrong(where, 'must be a number');
  return given;
};

const truths: Readonly<Record<string, boolean>> = {
  true: true,
  y: true,
  yes: true,
  on: true,
  false: false,
  n: false,
  no: false,
  off: false,
};

export const truth: Read<boolean> = (value, where) => {
  const word = value instanceof Substituted ? value.text.toLowerCase() : '';
  const given = Object.hasOwn(truths, word) ? truths[word] : value;
  if (typeof given !== 'boolean') throw wrong(where, 'must be a boolean');
  return given;
};

/** A number or a string, as text. */
export const scalar: Read<string> = (value, where) => {
  const given = plain(value);
  if (typeof given !== 'string' && typeof given !== 'number') throw wrong(where, 'must be a string or number');
  return String(given);
};

export const anything: Read<unknown> = (value) => value;

/** A list; what stands for nothing in it counts as an empty string's place would: it is refused by `item`. */
export function list<T>(item: Read<T>): Read<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) throw wrong(where, 'must be a list');
    return value.map((one, at) => item(one, below(where, at)));
  };
}

/** One word, or a list of them. */
export const words: Read<string[]> = (value, where) =>
  Array.isArray(value) ? list(text)(value, where) : [text(value, where)];

function entriesOf(value: unknown, where: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Substituted) {
    throw wrong(where, 'must be a mapping');
  }
  return Object.entries(value);
}

/** A mapping whose keys are the user's. */
export function mapping<T>(item: Read<T>): Read<Map<string, T>> {
  return (value, where) =>
    new Map(entriesOf(value, where).map(([key, one]): [string, T] => [key, item(one, below(where, key))]));
}

type Fields = Readonly<Record<string, Read<unknown>>>;
type Read1<F extends Fields> = { [K in keyof F]?: Of<F[K]> | undefined };

/** A mapping with the keys of `fields`; what is null counts as left out. `x-…` is for the user's own purposes. */
export function object<F extends Fields>(fields: F, required: readonly (keyof F & string)[] = []): Read<Read1<F>> {
  return (value, where) => {
    const result: Record<string, unknown> = {};
    for (const [key, part] of entriesOf(value, where)) {
      if (key.startsWith('x-')) continue;
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      if (field === undefined) throw wrong(where, `Additional property ${key} is not allowed`);
      if (part !== null && part !== undefined) result[key] = field(part, below(where, key));
    }
    for (const key of required) if (result[key] === undefined) throw wrong(where, `${key} is required`);
    return result as Read1<F>;
  };
}

/** The same, and nothing at all for an empty one. */
export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, where) => (value === null || value === undefined ? undefined : read(value, where));
}

/** `short` of a text or number, else `long`. */
export function either<S, L>(short: Read<S>, long: Read<L>): Read<S | L> {
  return (value, where) =>
    typeof value === 'object' && value !== null && !(value instanceof Substituted)
      ? long(value, where)
      : short(value, where);
}

/** What `convert` makes of it; what it throws is told with the place. */
export function made<A, B>(read: Read<A>, convert: (value: A) => B): Read<B> {
  return (value, where) => {
    const given = read(value, where);
    try {
      return convert(given);
    } catch (thrown) {
      throw wrong(`${where}:`, thrown instanceof Error ? thrown.message : String(thrown));
    }
  };
}

/** `- KEY=value` lines or a mapping, as a mapping; null for a key without a value. */
export function pairs(separator = '='): Read<Map<string, string | null>> {
  return (value, where) => {
    if (!Array.isArray(value)) return mapping(pairValue)(value, where);
    return new Map(
      list(text)(value, where).map((line): [string, string | null] => {
        const at = line.indexOf(separator);
        return at < 0 ? [line, null] : [line.slice(0, at), line.slice(at + 1)];
      }),
    );
  };
}

const pairValue: Read<string | null> = (value, where) => {
  const given = plain(value);
  if (given !== null && typeof given !== 'string' && typeof given !== 'number') {
    throw wrong(where, 'must be a string, number or null');
  }
  return given === null ? null : String(given);
};

/** Pairs that are nothing without a value (labels, kernel settings): an empty one is ''. */
export function filledPairs(separator = '='): Read<Map<string, string>> {
  return (value, where) => new Map([...pairs(separator)(value, where)].map(([key, one]) => [key, one ?? '']));
}
