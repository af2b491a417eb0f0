import type protobuf from 'protobufjs';
import { complete, type MessageName, type MessageTypes, messageType } from './codec.js';
import { ShoalError } from './errors.js';

/** What of the model can be read from or written as a REST body: every message with a name, and those without one of their own type. */
type Kind = 'string' | 'bool' | 'integer' | 'number' | 'bytes' | 'message';

interface FieldShape {
  name: string;
  kind: Kind;
  /** Bounds of an integer, both allowed. */
  min: number;
  max: number;
  form: 'single' | 'list' | 'map';
  message: Shape | undefined;
  always: boolean;
  isOptional: boolean;
}

/** The fields of a message that a REST body shows, in the order in which they are written. */
interface Shape {
  name: string;
  fields: readonly FieldShape[];
  byLowerName: ReadonlyMap<string, FieldShape>;
}

// The bounds of 64 bits are doubles just past them, so they are kept out by the next double below.
const bounds: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1024],
  uint64: [0, 2 ** 64 - 2048],
};

const shapes = new Map<string, Shape>();

function shapeOf(type: protobuf.Type): Shape {
  const known = shapes.get(type.name);
  if (known !== undefined) return known;
  const fields = type.fieldsArray
    .filter((field) => field.options?.['(internal)'] !== true)
    .map((field): FieldShape => {
      const message = field.resolvedType === null ? undefined : shapeOf(field.resolvedType as protobuf.Type);
      const [min, max] = bounds[field.type] ?? [0, 0];
      return {
        name: field.name,
        kind: message !== undefined ? 'message' : kindOf(field.type),
        min,
        max,
        form: field.map ? 'map' : field.repeated ? 'list' : 'single',
        message,
        always: field.options?.['(always)'] === true,
        isOptional: field.options?.proto3_optional === true,
      };
    });
  const shape = {
    name: type.name,
    fields,
    byLowerName: new Map(fields.map((field) => [field.name.toLowerCase(), field])),
  };
  shapes.set(type.name, shape);
  return shape;
}

function kindOf(type: string): Kind {
  if (type === 'string' || type === 'bool' || type === 'bytes') return type;
  return type === 'double' || type === 'float' ? 'number' : 'integer';
}

/**
 * A message from a REST body, with every default filled in. Keys are matched as Go does (exact or not in case), unknown
 * ones and the internal fields of the model are ignored, null is absent. Throws `invalid-argument` that names the
 * field by its path below `where` and says what is allowed.
 */
export function fromJSON<N extends MessageName>(name: N, body: unknown, where = ''): MessageTypes[N] {
  return complete(name, readMessage(shapeOf(messageType(name)), body, where));
}

function readMessage(shape: Shape, value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'must be an object');
  const result: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    const field = shape.byLowerName.get(key.toLowerCase());
    if (field === undefined || part === null) continue;
    result[field.name] = readField(field, part, where === '' ? field.name : `${where}.${field.name}`);
  }
  return result;
}

function readField(field: FieldShape, value: unknown, where: string): unknown {
  if (field.form === 'list') {
    if (!Array.isArray(value)) throw wrong(where, 'must be an array');
    return value.map((item, at) => readOne(field, item, `${where}[${at}]`));
  }
  if (field.form === 'map') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(where, 'must be an object');
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const path = `${where}[${JSON.stringify(abridge(key))}]`;
        if (key === '__proto__') throw wrong(path, 'is not a usable key');
        return [readString(key, path), readOne(field, item, path)];
      }),
    );
  }
  return readOne(field, value, where);
}

function readOne(field: FieldShape, value: unknown, where: string): unknown {
  if (value === null) return field.kind === 'message' ? {} : emptyOf(field);
  switch (field.kind) {
    case 'message':
      return readMessage(field.message!, value, where);
    case 'string':
      if (typeof value !== 'string') throw wrong(where, 'must be a string');
      return readString(value, where);
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(where, 'must be true or false');
      return value;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value) || value < field.min || value > field.max) {
        throw wrong(where, `must be a whole number from ${BigInt(field.min)} to ${BigInt(field.max)}`);
      }
      return value;
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong(where, 'must be a number');
      return value;
    case 'bytes':
      if (typeof value !== 'string' || !isBase64(value)) throw wrong(where, 'must be base64');
      return Buffer.from(value, 'base64');
  }
}

/** Neither the kernel nor a container can carry a NUL, and half a surrogate pair has no UTF-8. */
function readString(value: string, where: string): string {
  if (value.includes('\0')) throw wrong(where, 'must not contain a NUL character');
  return value.replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Standard base64 with its padding; Docker's decoder passes over line breaks. */
function isBase64(text: string): boolean {
  const plain = text.replace(/[\r\n]/g, '');
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain);
}

function abridge(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text;
}

function wrong(where: string, what: string): ShoalError {
  return new ShoalError('invalid-argument', where === '' ? `the request body ${what}` : `${where}: ${what}`);
}

/**
 * A message as its REST body: fields in the model's order and Docker's shape. What is empty is left out unless Docker always shows it;
 * a message that is there is shown even when it is empty (`"Global": {}`), bytes are base64, internal fields never appear.
 */
export function toJSON<N extends MessageName>(name: N, value: MessageTypes[N]): Record<string, unknown> {
  return writeMessage(shapeOf(messageType(name)), value);
}

function writeMessage(shape: Shape, value: object): Record<string, unknown> {
  const parts = value as Readonly<Record<string, unknown>>;
  const result: Record<string, unknown> = {};
  for (const field of shape.fields) {
    const written = writeField(field, parts[field.name]);
    if (written !== undefined) result[field.name] = written;
  }
  return result;
}

function writeField(field: FieldShape, value: unknown): unknown {
  if (field.form === 'list') {
    const list = (value ?? []) as readonly unknown[];
    return list.length > 0 || field.always ? list.map((item) => writeOne(field, item)) : undefined;
  }
  if (field.form === 'map') {
    // Sorted by key, as Go's encoder does: the same object always gives the same text.
    const entries = Object.entries((value ?? {}) as Readonly<Record<string, unknown>>).sort(([a], [b]) =>
      a < b ? -1 : a > b ? 1 : 0,
    );
    if (entries.length === 0 && !field.always) return undefined;
    return Object.fromEntries(entries.map(([key, item]) => [key, writeOne(field, item)]));
  }
  if (value === null || value === undefined) return field.always ? emptyOf(field) : undefined;
  if (!field.always && !field.isOptional && field.kind !== 'message' && isEmpty(field, value)) return undefined;
  return writeOne(field, value);
}

function writeOne(field: FieldShape, value: unknown): unknown {
  if (field.kind === 'message') return writeMessage(field.message!, value as object);
  if (field.kind === 'bytes') return Buffer.from(value as Uint8Array).toString('base64');
  return value;
}

function emptyOf(field: FieldShape): unknown {
  switch (field.kind) {
    case 'message':
      return writeMessage(field.message!, {});
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    default:
      return 0;
  }
}

function isEmpty(field: FieldShape, value: unknown): boolean {
  return field.kind === 'bytes' ? (value as Uint8Array).length === 0 : value === '' || value === 0 || value === false;
}

/** Every path a REST body of the message can have, with what it may hold: for tests that try all of them. */
export function bodyFields(
  name: MessageName,
): readonly { path: readonly string[]; kind: Kind; form: FieldShape['form'] }[] {
  const found: { path: readonly string[]; kind: Kind; form: FieldShape['form'] }[] = [];
  const walk = (shape: Shape, above: readonly string[]) => {
    for (const field of shape.fields) {
      const path = [...above, field.name];
      found.push({ path, kind: field.kind, form: field.form });
      if (field.message !== undefined) walk(field.message, field.form === 'list' ? [...path, '0'] : path);
    }
  };
  walk(shapeOf(messageType(name)), []);
  return found;
}
