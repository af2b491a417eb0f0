import { sprintf } from './printf.js';
import { isTrue, printNested, toJson, typeOf } from './values.js';

/** A function that templates may call. Throws an `Error` that says what is wrong with its arguments. */
export type TemplateFunction = (...args: unknown[]) => unknown;
export type Functions = Readonly<Record<string, TemplateFunction>>;

const text_chars_max = 1024 * 1024; // what one call may make

function textOf(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new Error(`wrong type for value; ${name} takes a string, not ${typeOf(value)}`);
  return value;
}

function integerOf(name: string, value: unknown): number {
  if (!Number.isSafeInteger(value))
    throw new Error(`wrong type for value; ${name} takes an integer, not ${typeOf(value)}`);
  return value as number;
}

function count(name: string, args: readonly unknown[], min: number, max = min): void {
  if (args.length >= min && args.length <= max) return;
  const wanted = args.length < min && max > min ? `at least ${min}` : String(args.length > max ? max : min);
  throw new Error(`wrong number of args for ${name}: want ${wanted} got ${args.length}`);
}

/** One argument, a string. */
function onText(name: string, call: (text: string) => unknown): TemplateFunction {
  return (...args) => {
    count(name, args, 1);
    return call(textOf(name, args[0]));
  };
}

function isEqual(a: unknown, b: unknown): boolean {
  const [left, right] = [a ?? null, b ?? null];
  if (left === null || right === null) return left === right;
  if (typeof left === 'object' || typeof right === 'object') throw new Error('non-comparable type: map or list');
  if (typeof left !== typeof right) throw new Error('incompatible types for comparison');
  return left === right;
}

function isLess(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a < b;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  throw new Error(`invalid type for comparison: ${typeOf(a)}`);
}

function comparison(name: string, call: (a: unknown, b: unknown) => boolean): TemplateFunction {
  return (...args) => {
    count(name, args, 2);
    return call(args[0], args[1]);
  };
}

function indexOf(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw new Error('index of untyped nil');
  if (Array.isArray(value) || typeof value === 'string') {
    const at = integerOf('index', key);
    if (at < 0 || at >= value.length) throw new Error(`index out of range: ${at}`);
    return typeof value === 'string' ? Buffer.from(value)[at] : value[at];
  }
  if (typeof value !== 'object') throw new Error(`can't index item of type ${typeOf(value)}`);
  const name = textOf('index', key);
  if (value instanceof Map) return value.get(name) ?? '';
  return Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : '';
}

function sliceOf(value: unknown, from: unknown, to: unknown): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`can't slice item of type ${typeOf(value)}`);
  const items = typeof value === 'string' ? Buffer.from(value) : value;
  const start = from === undefined ? 0 : integerOf('slice', from);
  const end = to === undefined ? items.length : integerOf('slice', to);
  if (start < 0 || end > items.length) throw new Error(`index out of range: ${start < 0 ? start : end}`);
  if (start > end) throw new Error(`invalid slice index: ${start} > ${end}`);
  return Buffer.isBuffer(items) ? items.subarray(start, end).toString() : items.slice(start, end);
}

/** Arguments one after the other; between two of which neither is a string, a space (Go's fmt.Sprint). */
function joined(args: readonly unknown[]): string {
  return args
    .map((arg, at) => {
      const spaced = at > 0 && typeof arg !== 'string' && typeof args[at - 1] !== 'string';
      return (spaced ? ' ' : '') + printNested(arg, 0);
    })
    .join('');
}

const entities: Readonly<Record<string, string>> = {
  '<': '&lt;',
  '>': '&gt;',
  '&': '&amp;',
  '"': '&#34;',
  "'": '&#39;',
};

/** Go's own functions (`and` and `or` are part of the language: they stop at the first answer). */
export const builtins: Functions = {
  not: (...args) => {
    count('not', args, 1);
    return !isTrue(args[0]);
  },
  len: (...args) => {
    count('len', args, 1);
    const [value] = args;
    if (typeof value === 'string') return Buffer.byteLength(value);
    if (Array.isArray(value)) return value.length;
    if (value instanceof Map) return value.size;
    if (typeof value === 'object' && value !== null) return Object.keys(value).length;
    throw new Error(`len of type ${typeOf(value)}`);
  },
  index: (value, ...keys) => keys.reduce(indexOf, value),
  slice: (...args) => {
    count('slice', args, 1, 3);
    return sliceOf(args[0], args[1], args[2]);
  },
  print: (...args) => joined(args),
  println: (...args) => `${args.map((arg) => printNested(arg, 0)).join(' ')}\n`,
  printf: (...args) => {
    count('printf', args, 1, Number.POSITIVE_INFINITY);
    return sprintf(textOf('printf', args[0]), args.slice(1));
  },
  html: (...args) => joined(args).replace(/[<>&"']/g, (sign) => entities[sign]!),
  urlquery: (...args) => encodeURIComponent(joined(args)).replaceAll('%20', '+'),
  eq: (...args) => {
    count('eq', args, 2, Number.POSITIVE_INFINITY);
    return args.slice(1).some((arg) => isEqual(args[0], arg));
  },
  ne: comparison('ne', (a, b) => !isEqual(a, b)),
  lt: comparison('lt', isLess),
  le: comparison('le', (a, b) => !isLess(b, a)),
  gt: comparison('gt', (a, b) => isLess(b, a)),
  ge: comparison('ge', (a, b) => !isLess(a, b)),
};

/** What Docker adds for `--format`. */
export const dockerFunctions: Functions = {
  json: (...args) => {
    count('json', args, 1);
    return toJson(args[0]);
  },
  upper: onText('upper', (text) => text.toUpperCase()),
  lower: onText('lower', (text) => text.toLowerCase()),
  title: onText('title', (text) =>
    text.replace(/(^|[^\p{L}\p{N}_])(\p{L})/gu, (_all, before, letter) => before + letter.toUpperCase()),
  ),
  split: (...args) => {
    count('split', args, 2);
    return textOf('split', args[0]).split(textOf('split', args[1]));
  },
  join: (...args) => {
    count('join', args, 2);
    const [items, separator] = args;
    if (items === null || items === undefined) return '';
    if (!Array.isArray(items)) throw new Error(`wrong type for value; join takes a list, not ${typeOf(items)}`);
    return items.map((item) => printNested(item, 0)).join(textOf('join', separator));
  },
  pad: (...args) => {
    count('pad', args, 3);
    const text = textOf('pad', args[0]);
    const [before, after] = [integerOf('pad', args[1]), integerOf('pad', args[2])];
    if (text === '') return '';
    if (before < 0 || after < 0 || before + after > text_chars_max) throw new Error(`pad: use 0 to ${text_chars_max}`);
    return ' '.repeat(before) + text + ' '.repeat(after);
  },
  truncate: (...args) => {
    count('truncate', args, 2);
    const points = [...textOf('truncate', args[0])];
    return points.slice(0, Math.max(0, integerOf('truncate', args[1]))).join('');
  },
};
