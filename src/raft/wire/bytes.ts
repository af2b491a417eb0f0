/** Bytes from outside that are not what they should be. Whoever sent them is cut off. */
export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WireError';
  }
}

const varintWire = 0;
const fixed64Wire = 1;
const bytesWire = 2;
const fixed32Wire = 5;

/** Writes protobuf's wire format into a buffer that grows. Fields that are zero or empty are left out, as proto3 does. */
export class ByteWriter {
  private buffer: Buffer;
  private at = 0;

  constructor(capacity = 256) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.at;
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + bytes));
    this.buffer.copy(grown, 0, 0, this.at);
    this.buffer = grown;
  }

  private varint(value: number): void {
    this.room(10);
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.at++] = (rest % 0x80) | 0x80;
      rest = rest < 0x80000000 ? rest >>> 7 : Math.floor(rest / 0x80);
    }
    this.buffer[this.at++] = rest;
  }

  /** A safe integer from 0 on. */
  uint(field: number, value: number): this {
    if (value !== 0) {
      this.varint(field * 8 + varintWire);
      this.varint(value);
    }
    return this;
  }

  bool(field: number, value: boolean): this {
    return this.uint(field, value ? 1 : 0);
  }

  bytes(field: number, value: Uint8Array): this {
    if (value.length === 0) return this;
    this.varint(field * 8 + bytesWire);
    this.varint(value.length);
    this.room(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
    return this;
  }

  string(field: number, value: string): this {
    return value === '' ? this : this.bytes(field, Buffer.from(value, 'utf8'));
  }

  /** A message inside; written even when it is empty. Its length gets a varint of fixed width, so nothing is copied. */
  message(field: number, write: (writer: this) => void): this {
    this.varint(field * 8 + bytesWire);
    this.room(4);
    const start = this.at + 4;
    this.at = start;
    write(this);
    const length = this.at - start;
    if (length >= 2 ** 28) throw new RangeError(`a message of ${length} bytes is above the limit of 256 MiB`);
    this.buffer[start - 4] = (length & 0x7f) | 0x80;
    this.buffer[start - 3] = ((length >>> 7) & 0x7f) | 0x80;
    this.buffer[start - 2] = ((length >>> 14) & 0x7f) | 0x80;
    this.buffer[start - 1] = length >>> 21;
    return this;
  }

  /** Bytes as they are, in no field. */
  raw(value: Uint8Array): this {
    this.room(value.length);
    this.buffer.set(value, this.at);
    this.at += value.length;
    return this;
  }

  /** Leaves `bytes` bytes to be filled in later; gives where they begin. */
  gap(bytes: number): number {
    this.room(bytes);
    this.at += bytes;
    return this.at - bytes;
  }

  /** What was written so far. Of no use any more once more is written. */
  get written(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.written;
  }
}

/** Reads protobuf's wire format; throws WireError on anything broken. Byte fields share memory with the input. */
export class ByteReader {
  private at: number;
  private readonly end: number;
  private wire = 0;

  constructor(
    private readonly buffer: Uint8Array,
    start = 0,
    end = buffer.length,
  ) {
    this.at = start;
    this.end = end;
  }

  private varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      if (this.at >= this.end) throw new WireError('a number ends early');
      const byte = this.buffer[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new WireError('a number is above 2^53 - 1');
        return value;
      }
      scale *= 0x80;
    }
    throw new WireError('a number is longer than ten bytes');
  }

  /** The number of the next field; 0 at the end. Its value must be read, or skipped, before the next call. */
  field(): number {
    if (this.at >= this.end) return 0;
    const tag = this.varint();
    this.wire = tag % 8;
    const field = Math.floor(tag / 8);
    if (field === 0) throw new WireError('field number 0');
    return field;
  }

  private expect(wire: number): void {
    if (this.wire !== wire) throw new WireError(`wire type ${this.wire} where ${wire} is expected`);
  }

  uint(): number {
    this.expect(varintWire);
    return this.varint();
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  private span(): number {
    this.expect(bytesWire);
    const length = this.varint();
    if (length > this.end - this.at) throw new WireError('a field is longer than what holds it');
    return length;
  }

  bytes(): Uint8Array {
    const length = this.span();
    this.at += length;
    return this.buffer.subarray(this.at - length, this.at);
  }

  string(limit = 4096): string {
    const bytes = this.bytes();
    if (bytes.length > limit) throw new WireError(`a text of ${bytes.length} bytes is above the limit of ${limit}`);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  }

  message(): ByteReader {
    const length = this.span();
    this.at += length;
    return new ByteReader(this.buffer, this.at - length, this.at);
  }

  skip(): void {
    if (this.wire === varintWire) this.varint();
    else if (this.wire === bytesWire) this.bytes();
    else if (this.wire === fixed64Wire || this.wire === fixed32Wire) {
      this.at += this.wire === fixed64Wire ? 8 : 4;
      if (this.at > this.end) throw new WireError('a field ends early');
    } else throw new WireError(`wire type ${this.wire} is not in use`);
  }
}
