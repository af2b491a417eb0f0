import type { DataPathKey } from '../../../model/types.js';
import { type End, type Seal, sealOf } from './seals.js';

// What the kernel's IPsec (xfrm) shall hold. All of it is ours by the first byte of `reqid` and of the priority; nobody else's is touched.

export const ourIDs = 0x53000000;
const ourIDs_mask = 0xff000000;
/** Epochs have what is left. */
export const epochs_max = 0x00ffffff;
/** The lower one is asked first. */
const priority = { peer: ourIDs + 1, others: ourIDs + 2 } as const;

export function isOurID(id: number): boolean {
  return (id & ourIDs_mask) >>> 0 === ourIDs;
}

/** What is known of a state by who lists them. */
export interface State extends Seal {
  reqid: number;
}

/** What is to become of UDP packets to the port of the encrypted tunnel. */
export interface Policy {
  direction: 'in' | 'out';
  from: string;
  to: string;
  port: number;
  priority: number;
  /** Undefined: they are dropped. */
  seal: { from: string; to: string; spi: number; reqid: number } | undefined;
}

export interface Program {
  states: readonly State[];
  policies: readonly Policy[];
}

export const emptyProgram: Program = { states: [], policies: [] };

/**
 * The program of a node that shares encrypted networks with `peers`. `keys` in order of generation. The last but one is sent with; what the one
 * before and the one after made is understood, too: so nothing is lost while some nodes have heard of a rotation and others have not. Without a key, and
 * from or to anybody else, nothing goes through.
 */
export function programFor(self: End, peers: readonly End[], keys: readonly DataPathKey[], port: number): Program {
  const reqid = ourIDs + self.epoch;
  const states: State[] = [];
  const policies: Policy[] = [
    { direction: 'in', from: anyAddress, to: anyAddress, port, priority: priority.others, seal: undefined },
    { direction: 'out', from: single(self.address), to: anyAddress, port, priority: priority.others, seal: undefined },
  ];
  const current = keys.at(-2) ?? keys.at(-1);
  if (current === undefined) return { states, policies };
  for (const peer of peers) {
    for (const key of keys) {
      states.push({ ...sealOf(key, peer, self), reqid });
      // That of the former one is for packets that are being encrypted as keys change.
      if (key.Generation <= current.Generation) states.push({ ...sealOf(key, self, peer), reqid });
    }
    const common = { port, priority: priority.peer };
    const [here, there] = [single(self.address), single(peer.address)];
    const inward = { from: peer.address, to: self.address, spi: 0, reqid };
    const outward = { from: self.address, to: peer.address, spi: sealOf(current, self, peer).spi, reqid };
    policies.push({ ...common, direction: 'in', from: there, to: here, seal: inward });
    policies.push({ ...common, direction: 'out', from: here, to: there, seal: outward });
  }
  return { states, policies };
}

const anyAddress = '0.0.0.0/0';
const single = (address: string) => `${address}/32`;

const hex = (number: number) => `0x${number.toString(16).padStart(8, '0')}`;
const nameOf = ({ from, to, spi }: Seal) => `src ${from} dst ${to} proto esp spi ${hex(spi)}`;
const selectorOf = ({ from, to, port, direction }: Policy) =>
  `src ${from} dst ${to} proto udp dport ${port} dir ${direction}`;

/** Packets may come this far out of order; a number that was seen, or is further back, is refused. */
const replayWindow = 512;

function stateLine(state: State): string {
  const numbers = `replay-window ${replayWindow} flag esn`; // 64 bits: 32 are used up in an hour at 1.2 million packets a second
  return `xfrm state add ${nameOf(state)} reqid ${state.reqid} mode transport ${numbers} aead rfc4106(gcm(aes)) 0x${state.key} 128`;
}

function policyLine(policy: Policy): string {
  const { seal } = policy;
  const action =
    seal === undefined
      ? 'action block'
      : `action allow tmpl src ${seal.from} dst ${seal.to} proto esp${seal.spi === 0 ? '' : ` spi ${hex(seal.spi)}`} reqid ${seal.reqid} mode transport`;
  return `xfrm policy update ${selectorOf(policy)} priority ${policy.priority} ${action}`;
}

const isSameState = (a: State, b: State) => a.key === b.key && a.reqid === b.reqid && a.from === b.from;

/**
 * Lines for `ip -batch -` that make `actual` be as desired, in their order: nothing passes in the clear meanwhile, and nothing that is
 * encrypted is refused that either of them takes.
 */
export function programCommands(desired: Program, actual: Program): string[] {
  const found = new Map(actual.states.map((state) => [`${state.to} ${state.spi}`, state]));
  const wanted = new Map(desired.states.map((state) => [`${state.to} ${state.spi}`, state]));
  const lines: string[] = [];
  for (const [id, state] of wanted) {
    const there = found.get(id);
    if (there !== undefined && isSameState(there, state)) continue;
    if (there !== undefined) lines.push(`xfrm state delete ${nameOf(there)}`);
    lines.push(stateLine(state));
  }
  const policies = new Map(actual.policies.map((policy) => [selectorOf(policy), policyLine(policy)]));
  const kept = new Set(desired.policies.map(selectorOf));
  for (const policy of desired.policies) {
    const line = policyLine(policy);
    if (policies.get(selectorOf(policy)) !== line) lines.push(line);
  }
  for (const selector of policies.keys()) if (!kept.has(selector)) lines.push(`xfrm policy delete ${selector}`);
  for (const [id, state] of found) if (!wanted.has(id)) lines.push(`xfrm state delete ${nameOf(state)}`);
  return lines;
}

/** A line without its key, for those who read. */
export function withoutKey(line: string): string {
  return line.replace(/0x[0-9a-f]{40}/g, '<key>');
}
