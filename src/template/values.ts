/** How Go's templates see a value. Objects are structs (an unknown field is a mistake); a `Map` is a map (an absent key has no value). */

/** Whether `if`, `with`, `and`, `or`, `not` take the value for true: everything but the zero of its type and the empty. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return Boolean(value);
}

export function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'map';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value;
}

const depth_max = 50; // of a value that is printed: data, unlike code, may come from anywhere

/** A value as `{{.}}` writes it (Go's %v). What has no value is `<no value>`; inside another value, `<nil>`. */
export function print(value: unknown): string {
  return value === null || value === undefined ? '<no value>' : printNested(value, 0);
}

export function printNested(value: unknown, depth: number): string {
  if (value === null || value === undefined) return '<nil>';
  if (depth > depth_max) return '…';
  if (typeof value === 'number') return printNumber(value);
  if (Array.isArray(value)) return `[${value.map((item) => printNested(item, depth + 1)).join(' ')}]`;
  if (typeof value === 'object') {
    const pairs = entriesOf(value).map(([key, item]) => `${key}:${printNested(item, depth + 1)}`);
    return `map[${pairs.join(' ')}]`;
  }
  if (typeof value === 'function') return '<method>';
  return String(value);
}

/** Whole numbers in digits; others as Go's %v: with an exponent below 0.0001 and from a million on. */
function printNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  const size = Math.abs(value);
  const text = size < 1e-4 || size >= 1e6 ? value.toExponential() : String(value);
  return text.replace(/e([-+])(\d)$/, 'e$10$2');
}

/** Keys and values of a map or an object, by key, as Go goes through a map. */
export function entriesOf(value: object): [string, unknown][] {
  const entries =
    value instanceof Map ? [...value].map(([key, item]) => [String(key), item] as const) : Object.entries(value);
  return entries.map(([key, item]): [string, unknown] => [key, item]).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Under this an object may say what Go calls its type: of one without, a field that is not there is missed in Go's words for maps. */
export const typeName = Symbol('type in Go');

/** A field of a value. Throws with Go's words when there is none by that name. Never reads what an object inherits. */
export function fieldOf(value: unknown, name: string): unknown {
  if (value instanceof Map) return value.get(name);
  if (value === null || value === undefined) throw new Error(`nil data; no entry for key ${JSON.stringify(name)}`);
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new Error(`can't evaluate field ${name} in type ${typeOf(value)}`);
  }
  if (!Object.hasOwn(value, name)) {
    const type = (value as { [typeName]?: string })[typeName];
    if (type !== undefined) throw new Error(`can't evaluate field ${name} in type ${type}`);
    throw new Error(`map has no entry for key ${JSON.stringify(name)}`);
  }
  return (value as Record<string, unknown>)[name];
}

/** JSON as Go writes it: `<`, `>` and `&` escaped only where asked, no spaces. */
export function toJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, item: unknown) => (item instanceof Map ? Object.fromEntries(item) : item)) ?? 'null'
  );
}
