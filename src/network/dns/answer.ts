import packet, { type DecodedPacket, type Question } from 'dns-packet';
import { formatIP, parseIP } from '../../model/ip.js';
import { parseAddress } from '../../model/ipv4.js';
import type { Asker, NameBook } from './name-book.js';

// RFC 1035, 4.1.1
const rcode = { refused: 5, notImplemented: 4, noSuchName: 3, failure: 2 } as const;
const recordType = { A: 1, PTR: 12, AAAA: 28 } as const; // 3.2.2; RFC 3596, 2.1
const internetClass = 1;
const isResponse = 0x8000;
const header_bytes = 12;
const recordHead_bytes = 12; // with a pointer as its name
/** A pointer to the name in the question, which follows the header (4.1.4). */
const nameOfQuestion = 0xc000 + header_bytes;
const label_bytes_max = 63;
/** The length of an answer over TCP is told in 16 bits (RFC 1035, 4.2.2). */
const answer_bytes_max = 0xffff;
/** What any client of UDP takes (RFC 1035, 4.2.1); one that takes more says so (RFC 6891). */
const udp_bytes_default = 512;
/** Larger datagrams would be fragments. */
const udp_bytes_max = 1232;
/** Endpoints come and go: nobody shall remember an answer. */
const ttl_s = 0;

/** A query that was read. `answer`: the bytes to send back; undefined: the name is none of ours, and is asked for outside. */
export interface Reading {
  bytes: Buffer;
  query: DecodedPacket;
  question: Question;
  /** Where the question ends. */
  questionEnd: number;
  answer: Buffer | undefined;
}

/**
 * Reads a query and answers what the book knows. Undefined of bytes that are no query, or one that does not write its name out, as none has
 * cause to: nothing is sent back. `shift` turns the order
 * of several addresses, so that clients that take the first do not all take the same.
 */
export function readQuery(bytes: Buffer, asker: Asker, book: NameBook, shift: number): Reading | undefined {
  let query: DecodedPacket;
  try {
    query = packet.decode(bytes);
  } catch {
    return undefined;
  }
  const [question, another] = query.questions ?? [];
  if (query.type !== 'query' || question === undefined || another !== undefined) return undefined;
  const questionEnd = endOfQuestion(bytes);
  if (questionEnd === undefined) return undefined;
  const asked = { bytes, query, question, questionEnd };
  return { ...asked, answer: answerTo(asked, asker, book, shift) };
}

function answerTo(asked: Omit<Reading, 'answer'>, asker: Asker, book: NameBook, shift: number): Buffer | undefined {
  const { query, question } = asked;
  if ((((query.flags ?? 0) >> 11) & 15) !== 0) return reply(asked, { code: rcode.notImplemented });
  const { name, type } = question;
  const reversed = addressOf(name);
  if (reversed !== undefined) {
    const owner = book.reverse(asker, reversed);
    if (owner === undefined) return outside(asked, asker, book);
    if (owner === '') return reply(asked, { code: rcode.noSuchName });
    return type === 'PTR'
      ? reply(asked, { records: record(recordType.PTR, encodedName(owner)), count: 1 })
      : reply(asked, {});
  }
  const found = book.find(asker, name);
  if (found === undefined) {
    if (/^tasks\./i.test(name)) return reply(asked, { code: rcode.noSuchName });
    return outside(asked, asker, book);
  }
  // A name without an address of the kind asked for is known all the same, and is answered at once, with nothing.
  const addresses = type === 'A' || isAny(type) ? found.addresses : [];
  const addresses6 = type === 'AAAA' || isAny(type) ? found.addresses6 : [];
  const shown = Math.min(addresses.length, roomFor(ipv4, asked.questionEnd));
  const shown6 = Math.min(addresses6.length, roomFor(ipv6, asked.questionEnd + shown * ipv4.bytes));
  const records = [
    ...(shown > 0 ? addressRecords(addresses, shift, ipv4, shown) : []),
    ...(shown6 > 0 ? addressRecords(addresses6, shift, ipv6, shown6) : []),
  ];
  return reply(asked, { records, count: shown + shown6 });
}

const isAny = (type: string) => type === 'ANY';

/** The address that a name of the reverse tree stands for (RFC 1035, 3.5; RFC 3596, 2.5); undefined of any other name. */
function addressOf(name: string): string | undefined {
  const ipv4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/i.exec(name);
  if (ipv4 !== null) return ipv4.slice(1).reverse().join('.');
  const digits = /^((?:[\da-f]\.){32})ip6\.arpa$/i.exec(name)?.[1];
  if (digits === undefined) return undefined;
  return formatIP(BigInt(`0x${digits.split('.').reverse().join('')}`));
}

function outside(asked: Omit<Reading, 'answer'>, asker: Asker, book: NameBook): Buffer | undefined {
  return book.reachesOutside(asker) ? undefined : reply(asked, { code: rcode.noSuchName });
}

/** Nobody outside could be asked. */
export function failure(asked: Reading): Buffer {
  return reply(asked, { code: rcode.failure });
}

/**
 * The question goes back byte for byte as it came (some clients mix upper and lower case to know their answer by it), and every record names it
 * by a pointer: with a library each record would cost as much as the whole question.
 */
function reply(
  { bytes, query, questionEnd }: Omit<Reading, 'answer'>,
  {
    code = 0,
    records = [],
    count = 0,
    more = 0,
  }: { code?: number; records?: readonly Buffer[]; count?: number; more?: number },
): Buffer {
  const answer = Buffer.allocUnsafe(questionEnd + records.reduce((sum, { length }) => sum + length, 0));
  const wantsRecursion = (query.flags ?? 0) & packet.RECURSION_DESIRED;
  const flags = packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | wantsRecursion | more | code;
  answer.writeUInt16BE(query.id ?? 0, 0);
  answer.writeUInt16BE(isResponse | flags, 2);
  answer.writeUInt16BE(1, 4);
  answer.writeUInt16BE(count, 6);
  answer.writeUInt32BE(0, 8);
  bytes.copy(answer, header_bytes, header_bytes, questionEnd);
  let at = questionEnd;
  for (const part of records) at += part.copy(answer, at);
  return answer;
}

/** Where the question of a query that was read ends; undefined when its name is not written out, label by label, but points elsewhere. */
function endOfQuestion(bytes: Buffer): number | undefined {
  let at = header_bytes;
  for (let length = bytes[at]; length !== 0; length = bytes[at]) {
    if (length === undefined || length > label_bytes_max) return undefined;
    at += length + 1;
  }
  const end = at + 1 + 4; // with type and class
  return end <= bytes.length ? end : undefined;
}

/** A record of the name that was asked for. */
function record(type: number, data: Buffer): Buffer[] {
  return [recordHead(type, data.length), data];
}

function recordHead(type: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(recordHead_bytes);
  bytes.writeUInt16BE(nameOfQuestion, 0);
  bytes.writeUInt16BE(type, 2);
  bytes.writeUInt16BE(internetClass, 4);
  bytes.writeUInt32BE(ttl_s, 6);
  bytes.writeUInt16BE(length, 10);
  return bytes;
}

/** How the addresses of a family are told. */
interface AddressKind {
  head: Buffer;
  bytes: number;
  write(address: string, into: Buffer, at: number): void;
}

const ipv4: AddressKind = {
  head: recordHead(recordType.A, 4),
  bytes: recordHead_bytes + 4,
  write: (address, into, at) => void into.writeUInt32BE(parseAddress(address) ?? 0, at),
};
const ipv6: AddressKind = {
  head: recordHead(recordType.AAAA, 16),
  bytes: recordHead_bytes + 16,
  write: (address, into, at) => {
    const number = parseIP(address) ?? 0n;
    into.writeBigUInt64BE(number >> 64n, at);
    into.writeBigUInt64BE(number & 0xffff_ffff_ffff_ffffn, at + 8);
  },
};

/** As long as a name leads to the same addresses it has the same list of them, and that the same records. */
const encoded = new WeakMap<readonly string[], Buffer>();

/** How many records of a kind fit into an answer behind so many bytes. */
function roomFor({ bytes }: AddressKind, before_bytes: number): number {
  return Math.floor((answer_bytes_max - before_bytes) / bytes);
}

/** A service may have many tasks: their records are made once, and `count` of them told, beginning at another one each time. */
function addressRecords(addresses: readonly string[], shift: number, kind: AddressKind, count: number): Buffer[] {
  let records = encoded.get(addresses);
  if (records === undefined) {
    records = encodedAddresses(addresses, kind);
    encoded.set(addresses, records);
  }
  const first = (shift % addresses.length) * kind.bytes;
  const size = count * kind.bytes;
  const tail = records.subarray(first, first + size);
  return tail.length === size ? [tail] : [tail, records.subarray(0, size - tail.length)];
}

function encodedAddresses(addresses: readonly string[], { head, bytes, write }: AddressKind): Buffer {
  const records = Buffer.allocUnsafeSlow(addresses.length * bytes);
  for (const [at, address] of addresses.entries()) {
    head.copy(records, at * bytes);
    write(address, records, at * bytes + recordHead_bytes);
  }
  return records;
}

/** A name of ours as labels. One too long for a label is cut: it only ever is one that a person reads. */
function encodedName(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.flatMap((label) => {
    const bytes = Buffer.from(label).subarray(0, label_bytes_max);
    return [Buffer.from([bytes.length]), bytes];
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

/** An answer as a datagram to this client: one that is too large goes without its records, and the client asks again over TCP. */
export function asDatagram(answer: Buffer, asked: Reading): Buffer {
  const option = asked.query.additionals?.find(({ type }) => type === 'OPT');
  const offered = option?.type === 'OPT' ? option.udpPayloadSize : 0;
  if (answer.length <= Math.min(Math.max(offered, udp_bytes_default), udp_bytes_max)) return answer;
  return reply(asked, { code: answer.readUInt8(3) & 15, more: packet.TRUNCATED_RESPONSE });
}
