import type { Clock } from '../../model/clock.js';
import type { Family } from '../../model/ip.js';
import type { Destinations } from './destinations.js';
import { lookups } from './lookups.js';
import { markMask, passMark } from './names.js';
import { hex, type RuleChain } from './ruleset.js';

/** So long after a task left rotation its clients are told to end connections: by then those in use have ended, or will not this way. */
const tells_ms = 60_000;
/** Where in an answer a header is looked for. Each place costs two rules, which only answers of tasks that leave meet. */
const places = { first: 'HTTP/1.1 200'.length, count: 384 };

/** What left rotation lately, whose clients are to end their kept connections. */
export class Ending {
  private readonly until_ms = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  /** Rules that lead to `after` take the place of those that led to `before`: the destinations of TCP whose connections shall end. */
  replaced(before: Destinations, after: Destinations): ReadonlySet<string> {
    const now = this.clock.monotonic();
    for (const [destination, { isOpaque }] of before) {
      if (isOpaque || destination.startsWith('udp')) continue;
      if (!after.has(destination)) this.until_ms.set(destination, now + tells_ms);
    }
    for (const [destination, until_ms] of this.until_ms) {
      // An address that is led to again may be another task's by now.
      if (after.has(destination) || until_ms <= now) this.until_ms.delete(destination);
    }
    return new Set(this.until_ms.keys());
  }
}

/**
 * Gets clients to end kept HTTP/1 connections to tasks that have left rotation, after an answer, so that their next request goes to another
 * task. The user-space plane asks the server to (its last-request.ts); a kernel cannot put a header in, but what it can is put bytes in the
 * place of as many others. In an answer `Connection: keep-alive` becomes `Connection: close`; of one that does not say that, but
 * how long it is, HTTP/1.1 becomes HTTP/1.0, which says the same (RFC 9112, 9.3). All other answers are left alone: in HTTP/1.0
 * nobody need understand chunks. Nothing is there while nobody leaves.
 */
export function endingParts(ending: ReadonlySet<string>, family: Family = 4) {
  const { ports, addresses } = lookups(ending, family);
  const chains = new Map<string, RuleChain>();
  if (ports.size + addresses.size > 0) {
    const answer = `ct mark & ${hex(markMask)} == ${hex(passMark)} meta l4proto tcp ct direction reply`;
    const begins = `${at(0, 9)} == ${words('HTTP/1.1 ')} goto last_answer`;
    chains.set('last_answer', { hook: '', rules: lastAnswerRules });
    chains.set('ending', {
      hook: 'type filter hook prerouting priority -144; policy accept',
      rules:
        family === 6
          ? [`${answer} ct reply ip6 saddr @ending_addresses ${begins}`]
          : [
              `${answer} ct reply ip saddr . ct reply proto-src @ending_ports ${begins}`,
              `${answer} ct reply ip saddr @ending_addresses ${begins}`,
            ],
    });
  }
  return { chains, ports, addresses };
}

const words = (text: string) => `0x${Buffer.from(text, 'latin1').toString('hex')}`;
const at = (from_bytes: number, count: number) => `@ih,${from_bytes * 8},${count * 8}`;

/** A header in letters of either case. At most 16 bytes are compared at once. */
function says(from_bytes: number, text: string): string {
  const parts: string[] = [];
  for (let done = 0; done < text.length; done += 16) {
    const part = text.slice(done, done + 16);
    const capital = (letter: string) => String.fromCharCode(letter.charCodeAt(0) & 0xdf);
    const mask = part.replace(/[^a-z]/gi, '\xff').replace(/[a-z]/gi, '\xdf');
    const value = part.replace(/[a-z]/gi, capital);
    parts.push(`${at(from_bytes + done, part.length)} & ${words(mask)} == ${words(value)}`);
  }
  return parts.join(' ');
}

/** From an even place: checksums are made of pairs. */
function put(from_bytes: number, text: string, before: string): string {
  const all = from_bytes % 2 === 0 ? text : before + text;
  return `${at(from_bytes + text.length - all.length, all.length)} set ${words(all)} accept`;
}

const everywhere = (rule: (place: number) => string) =>
  Array.from({ length: places.count }, (_, at) => rule(places.first + at));
const [header, kept, length] = ['\r\nconnection: ', 'keep-alive', '\r\ncontent-length'];

const lastAnswerRules: readonly string[] = [
  ...everywhere(
    (place) => `${says(place, `${header}${kept}\r\n`)} ${put(place + header.length, 'close'.padEnd(kept.length), ' ')}`,
  ),
  ...everywhere((place) => `${says(place, length)} ${put('HTTP/1.'.length, '0', '.')}`),
];
