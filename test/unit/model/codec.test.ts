import assert from 'node:assert/strict';
import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { modelRoot } from '../../../src/model/codec.js';
import { plainOfBytes } from '../../../src/model/plain-reader.js';
import { bytesOfPlain } from '../../../src/model/plain-writer.js';

const options: protobuf.IConversionOptions = {
  longs: Number,
  enums: String,
  defaults: true,
  arrays: true,
  objects: true,
};

const types = modelRoot()
  .nestedArray.flatMap((space) => (space as protobuf.Namespace).nestedArray)
  .filter((one): one is protobuf.Type => 'fieldsArray' in one);

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.constantFrom('', '__proto__', 'a'.repeat(64), 'a'.repeat(65), 'é'.repeat(64), 'x'.repeat(20_000)),
);
const scalars: Record<string, fc.Arbitrary<unknown>> = {
  string: text,
  bytes: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  bool: fc.boolean(),
  uint32: fc.nat({ max: 2 ** 32 - 1 }),
  int32: fc.integer(),
  uint64: fc.oneof(
    fc.nat(300),
    fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    fc.constantFrom(2 ** 28 - 1, 2 ** 28, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64 - 2048, 2 ** 64, 0.5, 2 ** 40 + 0.5),
  ),
  int64: fc.oneof(
    fc.nat(300),
    fc.maxSafeInteger(),
    fc.constantFrom(-1, 2 ** 28 - 1, 2 ** 28, -(2 ** 31), 2 ** 35, 2 ** 63, -(2 ** 63), -1.5, -(2 ** 40) - 0.5),
  ),
  double: fc.double({ noNaN: true }),
};

/** Messages as they are handed to the codec: any field may be missing, or null. */
function messages(type: protobuf.Type, depth = 0): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fieldsArray.map((one) => one.resolve())) {
    if (field.resolvedType !== null && depth > 3) continue;
    const value =
      field.resolvedType === null ? scalars[field.type]! : messages(field.resolvedType as protobuf.Type, depth + 1);
    if (field.map) model[field.name] = fc.dictionary(text, value, { maxKeys: 3 });
    else if (field.repeated) model[field.name] = fc.array(value, { maxLength: 3 });
    else model[field.name] = fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) });
  }
  return fc.record(model, { requiredKeys: [] });
}

/** As protobufjs reads it, which is slow; undefined: it throws. */
function readBy(read: () => object): object | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

describe('messages on the wire', () => {
  it('are of some types', () => assert.ok(types.length > 100, `${types.length}`));

  it('are the bytes that protobufjs makes of them, and are read as what it reads, in its order', () => {
    for (const type of types) {
      fc.assert(
        fc.property(messages(type), (message) => {
          const bytes = bytesOfPlain(type, message);
          assert.deepEqual(bytes, Buffer.from(type.encode(message).finish()), type.name);
          const plain = plainOfBytes(type, bytes);
          const expected = type.toObject(type.decode(bytes), options);
          assert.deepEqual(plain, expected, type.name);
          assert.equal(JSON.stringify(plain), JSON.stringify(expected), type.name);
        }),
        { numRuns: 12 },
      );
    }
  });

  it('are refused where a number is none', () => {
    const version = types.find(({ name }) => name === 'Version')!;
    for (const Index of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      assert.throws(() => bytesOfPlain(version, { Index }), RangeError);
    }
  });

  it('are refused when they are broken, or read as protobufjs would', () => {
    const break_ = fc.record({ cut: fc.nat(400), at: fc.nat(400), by: fc.nat(255) });
    for (const type of types.filter(({ name }) =>
      ['Transaction', 'FromNode', 'ToNode', 'Node', 'Service'].includes(name),
    )) {
      fc.assert(
        fc.property(messages(type), break_, (message, { cut, at, by }) => {
          const whole = bytesOfPlain(type, message);
          const bytes = Buffer.from(whole.subarray(0, cut % 3 === 0 ? cut : whole.length));
          if (bytes.length > 0) bytes[at % bytes.length] = by;
          const expected = readBy(() => type.toObject(type.decode(bytes), options));
          assert.deepEqual(
            readBy(() => plainOfBytes(type, bytes)),
            expected,
          );
        }),
        { numRuns: 120 },
      );
    }
  });

  it('give each message lists and maps of its own', () => {
    const task = types.find(({ name }) => name === 'Task')!;
    const [one, other] = [plainOfBytes(task, Buffer.alloc(0)), plainOfBytes(task, Buffer.alloc(0))] as {
      Labels: Record<string, string>;
      Failures: unknown[];
    }[];
    assert.notEqual(one!.Labels, other!.Labels);
    assert.notEqual(one!.Failures, other!.Failures);
  });
});
