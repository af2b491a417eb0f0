import packet, { type DecodedPacket, type Packet, type Question } from 'dns-packet';
import type { Asker, NameBook } from './name-book.js';

// RFC 1035, 4.1.1
const rcode = { refused: 5, notImplemented: 4, noSuchName: 3, failure: 2 } as const;
/** What any client of UDP takes (RFC 1035, 4.2.1); one that takes more says so (RFC 6891). */
const udp_bytes_default = 512;
/** Larger datagrams would be fragments. */
const udp_bytes_max = 1232;
/** Endpoints come and go: nobody shall remember an answer. */
const ttl_s = 0;

/** A query that was read. `answer`: the bytes to send back; undefined: the name is none of ours, and is asked for outside. */
export interface Reading {
  query: DecodedPacket;
  question: Question;
  answer: Buffer | undefined;
}

/**
 * Reads a query and answers what the book knows. Undefined of bytes that are no query: nothing is sent back. `shift` turns the order
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
  return { query, question, answer: answerTo(query, question, asker, book, shift) };
}

function answerTo(
  query: DecodedPacket,
  question: Question,
  asker: Asker,
  book: NameBook,
  shift: number,
): Buffer | undefined {
  if ((((query.flags ?? 0) >> 11) & 15) !== 0) return reply(query, { code: rcode.notImplemented });
  const { name, type } = question;
  const reversed = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/i.exec(name);
  if (reversed !== null) {
    const owner = book.reverse(asker, reversed.slice(1).reverse().join('.'));
    if (owner === undefined) return outside(query, asker, book);
    if (owner === '') return reply(query, { code: rcode.noSuchName });
    return reply(query, { answers: type === 'PTR' ? [{ type: 'PTR', name, ttl: ttl_s, data: owner }] : [] });
  }
  const found = book.find(asker, name);
  if (found === undefined) {
    if (/^tasks\./i.test(name)) return reply(query, { code: rcode.noSuchName });
    return outside(query, asker, book);
  }
  // A name without an address of the kind asked for is known all the same: AAAA is answered at once, with nothing.
  if (type !== 'A' && (type as string) !== 'ANY') return reply(query, {});
  const { addresses } = found;
  const turned = addresses.map((_, at) => addresses[(at + shift) % addresses.length]!);
  return reply(query, { answers: turned.map((data) => ({ type: 'A', name, ttl: ttl_s, data })) });
}

function outside(query: DecodedPacket, asker: Asker, book: NameBook): Buffer | undefined {
  return book.reachesOutside(asker) ? undefined : reply(query, { code: rcode.noSuchName });
}

/** Nobody outside could be asked. */
export function failure(query: DecodedPacket): Buffer {
  return reply(query, { code: rcode.failure });
}

function reply(
  query: DecodedPacket,
  { code = 0, answers = [] }: { code?: number; answers?: Packet['answers'] },
): Buffer {
  const wantsRecursion = (query.flags ?? 0) & packet.RECURSION_DESIRED;
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | wantsRecursion | code,
    questions: query.questions ?? [],
    answers: answers ?? [],
  });
}

/** An answer as a datagram to this client: one that is too large goes without its records, and the client asks again over TCP. */
export function asDatagram(answer: Buffer, query: DecodedPacket): Buffer {
  const option = query.additionals?.find((record) => record.type === 'OPT');
  const offered = option?.type === 'OPT' ? option.udpPayloadSize : 0;
  if (answer.length <= Math.min(Math.max(offered, udp_bytes_default), udp_bytes_max)) return answer;
  const { flags = 0 } = packet.decode(answer);
  return packet.encode({
    type: 'response',
    id: query.id ?? 0,
    flags: flags | packet.TRUNCATED_RESPONSE,
    questions: query.questions ?? [],
  });
}
