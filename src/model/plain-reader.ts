import protobuf from 'protobufjs';

// The wire's bytes into plain objects, in one go: protobufjs's way to the same makes an object of a class first, of which then a plain one is
// copied, and of an entry of 2,000 tasks both are there at once.

type Plain = Record<string, unknown>;

const depth_max = 100; // protobufjs's: a message nested deeper was made to use up the stack

/** Whether the number at the reader's place is below 2^28, or broken: then it is read faster. */
function isShort({ buf, pos }: protobuf.Reader): boolean {
  return !(
    (buf[pos] ?? 0) >= 128 &&
    (buf[pos + 1] ?? 0) >= 128 &&
    (buf[pos + 2] ?? 0) >= 128 &&
    (buf[pos + 3] ?? 0) >= 128
  );
}

const numberOf = (value: unknown) => (typeof value === 'number' ? value : (value as { toNumber(): number }).toNumber());

const scalars: Readonly<Record<string, (reader: protobuf.Reader) => unknown>> = {
  string: (reader) => reader.string(),
  bytes: (reader) => reader.bytes(),
  bool: (reader) => reader.bool(),
  uint32: (reader) => reader.uint32(),
  int32: (reader) => reader.int32(),
  uint64: (reader) => (isShort(reader) ? reader.uint32() : numberOf(reader.uint64())),
  int64: (reader) => (isShort(reader) ? reader.uint32() : numberOf(reader.int64())),
  double: (reader) => reader.double(),
};

/**
 * Reads the texts of one field. Messages that come together say mostly the same (a service, a node, a moment, a state): what the last one said
 * is not made anew.
 */
function textReader(): Read {
  let last = '';
  return (reader) => {
    const from = reader.pos;
    const length = reader.uint32();
    const { buf, pos, len } = reader;
    if (length === last.length && pos + length <= len) {
      let at = 0;
      while (at < length && buf[pos + at] === last.charCodeAt(at)) at++;
      if (at === length) {
        reader.pos = pos + length;
        return last;
      }
    }
    reader.pos = from;
    const text = reader.string();
    // As many letters as bytes: each is the byte it came as, or stands for a broken one, and then is equal to none.
    if (length <= sameText_max && text.length === length) last = text;
    return text;
  };
}

const sameText_max = 64;

type Read = (reader: protobuf.Reader, depth: number) => unknown;
/** Reads one occurrence of a field; `wire` is the wire type that came with it. */
type Take = (message: Plain, reader: protobuf.Reader, wire: number, depth: number) => void;

/** Calls `read` for what stands behind its length, all of which it must take. */
function within(reader: protobuf.Reader, read: () => void): void {
  const end = reader.uint32() + reader.pos;
  const outer = reader.len;
  if (end > outer) throw new RangeError('index out of range');
  reader.len = end;
  while (reader.pos < end) read();
  if (reader.pos !== end) throw new RangeError('index out of range');
  reader.len = outer;
}

/** Reads messages of its type; made once a type. */
class MessageReader {
  private takes: (Take | undefined)[] | undefined;
  /** Everything that is there though it was not sent, in protobufjs's order; lists, maps and bytes are put in their places anew each time. */
  private readonly defaults: Plain = {};
  private readonly lists: string[] = [];
  private readonly maps: string[] = [];
  private readonly bytes: string[] = [];

  constructor(private readonly type: protobuf.Type) {}

  private prepare(): (Take | undefined)[] {
    const fields = this.type.fieldsArray.map((field) => field.resolve()).sort((left, right) => left.id - right.id);
    const always = fields.filter(({ partOf }) => !partOf);
    for (const { name } of always.filter(({ repeated }) => repeated)) this.lists.push(name);
    for (const { name } of always.filter(({ map }) => map)) this.maps.push(name);
    for (const name of [...this.lists, ...this.maps]) this.defaults[name] = null;
    for (const { name, repeated, map, type, resolvedType } of always) {
      if (repeated || map) continue;
      if (type === 'bytes') this.bytes.push(name);
      this.defaults[name] = resolvedType !== null ? null : type === 'string' ? '' : type === 'bool' ? false : 0;
    }
    const takes: (Take | undefined)[] = [];
    for (const field of fields) takes[field.id] = takeOf(field);
    this.takes = takes;
    return takes;
  }

  /** All fields up to the end that the reader knows of. Throws on what is broken. */
  read(reader: protobuf.Reader, depth: number): Plain {
    if (depth > depth_max) throw new Error('maximum nesting depth exceeded');
    const takes = this.takes ?? this.prepare();
    const message = { ...this.defaults };
    for (const name of this.lists) message[name] = [];
    for (const name of this.maps) message[name] = {};
    for (const name of this.bytes) message[name] = Buffer.alloc(0);
    while (reader.pos < reader.len) {
      const key = reader.uint32();
      const take = takes[key >>> 3];
      if (take === undefined) reader.skipType(key & 7);
      else take(message, reader, key & 7, depth);
    }
    return message;
  }

  /** As `read`, of a message behind its length. */
  readWithin(reader: protobuf.Reader, depth: number): Plain {
    const end = reader.uint32() + reader.pos;
    const outer = reader.len;
    if (end > outer) throw new RangeError('index out of range');
    reader.len = end;
    const message = this.read(reader, depth);
    if (reader.pos !== end) throw new RangeError('index out of range');
    reader.len = outer;
    return message;
  }
}

const readers = new Map<protobuf.ReflectionObject, MessageReader>();

function readerOf(type: protobuf.Type): MessageReader {
  let reader = readers.get(type);
  if (reader === undefined) {
    reader = new MessageReader(type);
    readers.set(type, reader);
  }
  return reader;
}

function valueReader(field: protobuf.Field): Read {
  if (field.resolvedType !== null) {
    const message = readerOf(field.resolvedType as protobuf.Type);
    return (reader, depth) => message.readWithin(reader, depth + 1);
  }
  const scalar = scalars[field.type];
  if (scalar === undefined) throw new Error(`${field.fullName}: ${field.type} is not read yet`);
  return scalar;
}

function takeOf(field: protobuf.Field): Take {
  const { name } = field;
  const read = field.type === 'string' && !field.map ? textReader() : valueReader(field);
  if (field.map) return takeEntry(field, read);
  if (!field.repeated) {
    return (message, reader, _wire, depth) => {
      message[name] = read(reader, depth);
    };
  }
  const isNumber = field.resolvedType === null && field.type !== 'string' && field.type !== 'bytes';
  return (message, reader, wire, depth) => {
    const list = message[name] as unknown[];
    if (isNumber && wire === 2) within(reader, () => list.push(read(reader, depth)));
    else list.push(read(reader, depth));
  };
}

function takeEntry({ name, type, resolvedType }: protobuf.Field, read: Read): Take {
  const absent = resolvedType !== null ? null : type === 'string' ? '' : type === 'bool' ? false : 0;
  return (message, reader, _wire, depth) => {
    let key = '';
    let value: unknown = absent;
    within(reader, () => {
      const tag = reader.uint32();
      if (tag >>> 3 === 1) key = reader.string();
      else if (tag >>> 3 === 2) value = read(reader, depth);
      else reader.skipType(tag & 7);
    });
    // an ordinary assignment would take this one key for something else
    if (key === '__proto__')
      Object.defineProperty(message[name], key, { value, enumerable: true, configurable: true, writable: true });
    else (message[name] as Plain)[key] = value;
  };
}

/**
 * A message of the type from its wire bytes, as a plain object with every default filled in (absent sub-messages are null, of a `oneof` and
 * of what is `optional` only what was sent is there), 64-bit integers as numbers. Throws on broken bytes.
 */
export function plainOfBytes(type: protobuf.Type, bytes: Uint8Array): object {
  return readerOf(type).read(protobuf.Reader.create(bytes), 0);
}
