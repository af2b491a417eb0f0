import { isIP } from 'node:net';
import type { PortConfig } from '../base/wire.js';
import { splitPairs } from './words.js';

const protocols = ['tcp', 'udp', 'sctp'];
const ports_max = 65_536;

/**
 * The ports that one `--publish` asks for: `[PUBLISHED[-END]:]TARGET[-END][/PROTOCOL]`, or
 * `target=80,published=8080,protocol=tcp,mode=ingress`. Throws with what is wrong.
 */
export function parsePublish(text: string): PortConfig[] {
  return /^\w+=/.test(text) || text.includes(',') ? [parseLong(text)] : parseShort(text);
}

function parseLong(text: string): PortConfig {
  let [protocol, mode, target, published] = ['tcp', 'ingress', 0, 0];
  for (const { key, value, field } of splitPairs(text)) {
    if (value === undefined || value === '') throw new Error(`invalid field: ${field}`);
    if (key === 'protocol') protocol = checkProtocol(value.toLowerCase());
    else if (key === 'mode') mode = value.toLowerCase();
    else if (key === 'target') target = parsePort(value, 'target port');
    else if (key === 'published') published = parsePort(value, 'published port');
    else throw new Error(`invalid field key: ${key}; use target, published, protocol or mode`);
  }
  if (mode !== 'ingress' && mode !== 'host')
    throw new Error(`invalid publish mode value (${mode}): must be either 'ingress' or 'host'`);
  if (target === 0) throw new Error(`missing mandatory field "target"`);
  return portOf(protocol, target, published, mode);
}

function parseShort(text: string): PortConfig[] {
  const [address = '', protocolText, ...more] = text.split('/');
  if (more.length > 0) throw new Error(`invalid proto: ${[protocolText, ...more].join('/')}`);
  const protocol = checkProtocol((protocolText ?? 'tcp').toLowerCase());
  const parts = address.split(':');
  const target = parts.pop()!;
  const published = parts.pop() ?? '';
  if (target === '') throw new Error(`no port specified: ${text}<empty>`);
  const targets = parseRange(target, 'containerPort');
  if (parts.length > 0) {
    const ip = parts.join(':').replace(/^\[|\]$/g, '');
    if (isIP(ip) === 0) throw new Error(`invalid IP address: ${ip}`);
    throw new Error(`hostip is not supported: a service's port is published on every node, not on ${ip}`);
  }
  if (published === '') return range(targets).map((port) => portOf(protocol, port, 0, 'ingress'));
  const hosts = parseRange(published, 'hostPort');
  if (hosts.end - hosts.start !== targets.end - targets.start) {
    throw new Error(`invalid ranges specified for container and host Ports: ${target} and ${published}`);
  }
  return range(targets).map((port, at) => portOf(protocol, port, hosts.start + at, 'ingress'));
}

function portOf(protocol: string, target: number, published: number, mode: string): PortConfig {
  const port: PortConfig = { Protocol: protocol, TargetPort: target };
  if (published !== 0) port.PublishedPort = published;
  return { ...port, PublishMode: mode };
}

function checkProtocol(protocol: string): string {
  if (!protocols.includes(protocol)) throw new Error(`invalid proto: ${protocol}; use tcp, udp or sctp`);
  return protocol;
}

function parsePort(text: string, what: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) >= ports_max) {
    throw new Error(`invalid ${what} (${text}): value must be an integer, 0 to ${ports_max - 1}`);
  }
  return Number(text);
}

function parseRange(text: string, what: string): { start: number; end: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const start = Number(match?.[1]);
  const end = match?.[2] === undefined ? start : Number(match[2]);
  if (match === null || end < start || end >= ports_max) throw new Error(`invalid ${what}: ${text}`);
  return { start, end };
}

function range({ start, end }: { start: number; end: number }): number[] {
  return Array.from({ length: end - start + 1 }, (_none, at) => start + at);
}

/** A port as one word: what is the same port has the same word, and Docker sorts by it. */
export function portKey(port: PortConfig): string {
  return `${port.PublishedPort ?? 0}:${port.TargetPort ?? 0}/${port.Protocol || 'tcp'}/${port.PublishMode || 'ingress'}`;
}

/** The ports once some are added and then some removed (by target, protocol and mode). Throws when two claim one published port. */
export function mergePorts(
  ports: readonly PortConfig[],
  removed: readonly PortConfig[],
  added: readonly PortConfig[],
): PortConfig[] {
  const same = (a: PortConfig, b: PortConfig) =>
    a.TargetPort === b.TargetPort &&
    (a.Protocol || 'tcp') === (b.Protocol || 'tcp') &&
    (a.PublishMode || 'ingress') === (b.PublishMode || 'ingress');
  const kept = [...ports, ...added].filter((port) => !removed.some((each) => same(each, port)));
  const merged = new Map(kept.map((port) => [portKey(port), port]));
  const published = new Map<string, PortConfig>();
  for (const port of merged.values()) {
    if (!port.PublishedPort) continue;
    const claim = `${port.PublishedPort}/${port.Protocol || 'tcp'}`;
    const other = published.get(claim);
    if (other !== undefined) throw new Error(`conflicting port mapping between ${portKey(port)} and ${portKey(other)}`);
    published.set(claim, port);
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, port]) => port);
}
