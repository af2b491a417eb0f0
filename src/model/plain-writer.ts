import type protobuf from 'protobufjs';

// Plain objects into the wire's bytes, in one go. protobufjs's own writer keeps an object for each field until it knows the whole length, 40,000
// for an entry of 2,000 tasks, all alive at once: to collect them was a third of what a plan cost a manager.

/** Bytes that grow. */
class Output {
  bytes = Buffer.allocUnsafe(64 * 1024);
  at = 0;

  /** Has room for so many more bytes. */
  need(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + count));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  /** A number from 0 to below 2^64. */
  varint(value: number): void {
    this.need(varint_bytes_max);
    const { bytes } = this;
    let rest = value;
    for (; rest >= 2 ** 31; rest = Math.floor(rest / 128)) bytes[this.at++] = (rest % 128) | 128;
    for (; rest >= 128; rest >>>= 7) bytes[this.at++] = (rest & 127) | 128;
    bytes[this.at++] = rest;
  }

  /**
   * A number that may be below 0: ten bytes then, as of two's complement. Of one that has no place in 64 bits (2^64 is what the largest sent is
   * read as) what is above them is left out. Throws where it is none.
   */
  signed(value: number): void {
    if (value >= 0 && value < 2 ** 64) {
      this.varint(value);
      return;
    }
    this.need(varint_bytes_max);
    for (let rest = BigInt.asUintN(64, BigInt(Math.trunc(value))); ; rest >>= 7n) {
      if (rest < 128n) {
        this.bytes[this.at++] = Number(rest);
        return;
      }
      this.bytes[this.at++] = Number(rest & 127n) | 128;
    }
  }

  double(value: number): void {
    this.need(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  raw(value: Uint8Array): void {
    this.varint(value.length);
    this.need(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  text(value: string): void {
    if (value.length <= shortText_max && this.shortText(value)) return;
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.need(length);
    this.at += this.bytes.write(value, this.at, 'utf8');
  }

  /** What most texts are: few letters, none of which takes more than a byte. */
  private shortText(value: string): boolean {
    this.need(1 + shortText_max);
    const { bytes, at } = this;
    for (let place = 0; place < value.length; place++) {
      const letter = value.charCodeAt(place);
      if (letter > 127) return false;
      bytes[at + 1 + place] = letter;
    }
    bytes[at] = value.length;
    this.at = at + 1 + value.length;
    return true;
  }

  /** What `write` writes, behind its length. */
  within(write: () => void): void {
    this.need(1);
    const from = this.at + 1; // room for a length below 128, which most have
    this.at = from;
    write();
    const length = this.at - from;
    if (length < 128) {
      this.bytes[from - 1] = length;
      return;
    }
    this.need(varint_bytes_max);
    this.at = from - 1;
    const end = from + length;
    const shift = varintSize(length) - 1;
    this.bytes.copyWithin(from + shift, from, end);
    this.varint(length);
    this.at = end + shift;
  }
}

const varint_bytes_max = 10;
const shortText_max = 64;
const kept_bytes_max = 4 * 1024 * 1024;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

type Write = (output: Output, value: never) => void;

const scalars: Readonly<Record<string, { wire: number; write: Write }>> = {
  string: { wire: 2, write: (output, value: string) => output.text(value) },
  bytes: { wire: 2, write: (output, value: Uint8Array) => output.raw(value) },
  bool: { wire: 0, write: (output, value: boolean) => output.varint(value ? 1 : 0) },
  uint32: { wire: 0, write: (output, value: number) => output.varint(value >>> 0) },
  int32: { wire: 0, write: (output, value: number) => output.signed(value | 0) },
  uint64: { wire: 0, write: (output, value: number) => output.signed(value) },
  int64: { wire: 0, write: (output, value: number) => output.signed(value) },
  double: { wire: 1, write: (output, value: number) => output.double(value) },
};

interface FieldWriter {
  name: string;
  write: Write;
}

/** Kept between calls, which come one after the other; what was written is copied out of it. */
let output = new Output();

/** Writes messages of its type; made once a type. */
class MessageWriter {
  private fields: FieldWriter[] | undefined;

  constructor(private readonly type: protobuf.Type) {}

  /** In order of the fields' numbers; what is null or undefined is left out. */
  write(to: Output, message: Readonly<Record<string, unknown>>): void {
    this.fields ??= this.type.fieldsArray
      .map((field) => field.resolve())
      .sort(byNumber)
      .map(fieldWriter);
    for (const { name, write } of this.fields) {
      const value = message[name];
      if (value !== undefined && value !== null) write(to, value as never);
    }
  }
}

const byNumber = (left: protobuf.Field, right: protobuf.Field) => left.id - right.id;

const writers = new Map<protobuf.ReflectionObject, MessageWriter>();

function writerOf(type: protobuf.Type): MessageWriter {
  let writer = writers.get(type);
  if (writer === undefined) {
    writer = new MessageWriter(type);
    writers.set(type, writer);
  }
  return writer;
}

/** How one value of the field's type is written, and with which wire type. */
function valueWriter(field: protobuf.Field): { wire: number; write: Write } {
  if (field.resolvedType !== null) {
    const writer = writerOf(field.resolvedType as protobuf.Type);
    return { wire: 2, write: (to, value) => to.within(() => writer.write(to, value)) };
  }
  const scalar = scalars[field.type];
  if (scalar === undefined) throw new Error(`${field.fullName}: ${field.type} is not written yet`);
  return scalar;
}

function fieldWriter(field: protobuf.Field): FieldWriter {
  const { name, id } = field;
  const { wire, write } = valueWriter(field);
  const key = id * 8 + wire;
  if (field.map) {
    const entry = (to: Output, mapKey: string, value: unknown) => {
      to.varint(8 + 2);
      to.text(mapKey);
      to.varint(16 + wire);
      write(to, value as never);
    };
    return {
      name,
      write: (to, map: Readonly<Record<string, unknown>>) => {
        for (const mapKey of Object.keys(map)) {
          to.varint(id * 8 + 2);
          to.within(() => entry(to, mapKey, map[mapKey]));
        }
      },
    };
  }
  if (field.repeated && wire !== 2) {
    return {
      name,
      write: (to, values: readonly unknown[]) => {
        if (values.length === 0) return;
        to.varint(id * 8 + 2);
        to.within(() => {
          for (const value of values) write(to, value as never);
        });
      },
    };
  }
  const one = (to: Output, value: unknown) => {
    to.varint(key);
    write(to, value as never);
  };
  if (!field.repeated) return { name, write: one };
  return {
    name,
    write: (to, values: readonly unknown[]) => {
      for (const value of values) one(to, value);
    },
  };
}

/** Wire bytes of a message of the type, the same that protobufjs makes of it. Throws where it is no such message. */
export function bytesOfPlain(type: protobuf.Type, message: object): Buffer {
  output.at = 0;
  try {
    writerOf(type).write(output, message as Readonly<Record<string, unknown>>);
    return Buffer.from(output.bytes.subarray(0, output.at));
  } finally {
    if (output.bytes.length > kept_bytes_max) output = new Output();
  }
}
