import { isOfIPv6 } from '../../model/ip.js';
import { markMask, passMark } from './names.js';
import { hex } from './ruleset.js';
import type { KernelTools } from './tools.js';

/** A connection that our rules led somewhere, as the kernel tracks it. */
export interface Flow {
  protocol: 'tcp' | 'udp';
  /** The kernel's words for TCP: SYN_SENT, ESTABLISHED, TIME_WAIT …; '' of UDP. */
  state: string;
  /** What tells it from all others: the client's words of who asks whom, and through which node. */
  key: string;
  /** Who answers. */
  address: string;
  port: number;
  /** No answer came yet. */
  isUnanswered: boolean;
  /** Packets of both sides; 0 where the kernel does not count. */
  asked: number;
  answered: number;
  /** Bytes beyond what headers need, by who sent them; both 0 where the kernel does not count. */
  asked_bytes: number;
  answered_bytes: number;
  /** The words by which `conntrack -D` finds it. */
  selector: readonly string[];
}

const ourMark = `${hex(passMark)}/${hex(markMask)}`;

/**
 * Those that lead to one of `addresses` and are not over. The kernel keeps a connection for minutes after its end: on a busy node most lines are of
 * such ones, hundreds of thousands. Throws what the tools throw.
 */
export async function flows(tools: KernelTools, addresses: ReadonlySet<string>): Promise<Flow[]> {
  const isWanted = (line: string) => !isOver.test(line) && addresses.has(answererOf(line));
  const list = async (...family: string[]) =>
    parseFlows(await tools.run('conntrack', ['-L', ...family, '-m', ourMark], undefined, isWanted));
  const all = [...addresses];
  return [...(all.every(isOfIPv6) ? [] : await list()), ...(all.some(isOfIPv6) ? await list('-f', 'ipv6') : [])];
}

const isOver = /^tcp +\d+ \d+ (?:TIME_WAIT|LAST_ACK|CLOSE) /;

/** The last `src` of a line: the first is the client. */
function answererOf(line: string): string {
  const from = line.lastIndexOf(' src=') + ' src='.length;
  return line.slice(from, line.indexOf(' ', from));
}

/** Forgets a connection: its next packet is taken for the first of a new one. One that is gone already is fine. */
export async function forget(tools: KernelTools, { selector, state }: Flow): Promise<void> {
  // One that has come about since it was looked at is left alone.
  await tools.run('conntrack', ['-D', ...selector, ...inState(state)]).catch(() => {}); // it ended meanwhile: conntrack calls that an error
}

/** Forgets all that lead where this one does and are in its state, in one call whatever their number. */
export async function forgetAll(tools: KernelTools, { protocol, state, address, port }: Flow): Promise<void> {
  const family = familyWords(address);
  const words = ['-p', protocol, ...inState(state), '-r', address, '--reply-port-src', String(port), '-m', ourMark];
  await tools.run('conntrack', ['-D', ...family, ...words]).catch(() => {}); // as above
}

const familyWords = (address: string) => (isOfIPv6(address) ? ['-f', 'ipv6'] : []);

const inState = (state: string) => (state === '' ? [] : ['--state', state]);

/** The lines of `conntrack -L`. */
export function parseFlows(text: string): Flow[] {
  return text.split('\n').flatMap((line) => parseFlow(line) ?? []);
}

function parseFlow(line: string): Flow | undefined {
  const protocol = /^(tcp|udp) /.exec(line)?.[1] as Flow['protocol'] | undefined;
  if (protocol === undefined) return undefined;
  const all = (field: string) => [...line.matchAll(new RegExp(` ${field}=(\\S+)`, 'g'))].map(([, value]) => value!);
  const [sources, targets, from, to] = ['src', 'dst', 'sport', 'dport'].map(all) as [
    string[],
    string[],
    string[],
    string[],
  ];
  if (sources.length !== 2 || from.length !== 2) return undefined;
  const [packets, bytes] = [all('packets').map(Number), all('bytes').map(Number)];
  const head_bytes = header_bytes[protocol] + (isOfIPv6(sources[1]!) ? moreOfIPv6_bytes : 0);
  const payload = (at: number) => Math.max(0, (bytes[at] ?? 0) - (packets[at] ?? 0) * head_bytes);
  const zone = all('zone-orig')[0];
  const original = ['-s', sources[0]!, '-d', targets[0]!, '--sport', from[0]!, '--dport', to[0]!];
  return {
    protocol,
    state: /^tcp +\d+ \d+ ([A-Z_0-9]+) /.exec(line)?.[1] ?? '',
    key: [protocol, ...original, zone ?? ''].join(' '),
    address: sources[1]!,
    port: Number(from[1]),
    isUnanswered: line.includes('[UNREPLIED]'),
    asked: packets[0] ?? 0,
    answered: packets[1] ?? 0,
    asked_bytes: payload(0),
    answered_bytes: payload(1),
    selector: [
      ...familyWords(sources[1]!),
      '-p',
      protocol,
      ...original,
      ...(zone === undefined ? [] : ['--orig-zone', zone]),
    ],
  };
}

/** Of a packet that carries nothing: IP 20, TCP 20 with time stamps 12, or UDP 8. Others are not much longer. */
const header_bytes = { tcp: 52, udp: 28 };
const moreOfIPv6_bytes = 20;
