import { isIPv6 } from 'node:net';
import { formatAddress, parseAddress } from './ipv4.js';

// Addresses of both families as numbers of 128 bits: IPv4 as it is mapped into IPv6 (RFC 4291, 2.5.5.2), so that what is compared, counted and
// kept need not be told apart.

export type Family = 4 | 6;

/** A block of addresses: its first one, and how many of the 128 leading bits all of it share. */
export interface Block {
  readonly first: bigint;
  readonly bits: number;
}

const address_bits = 128;
const mapped: Block = { first: 0xffffn << 32n, bits: 96 };

/** The address as a number; undefined of what is none, or is of one link alone, or an IPv4 address written as one of IPv6. */
export function parseIP(text: string): bigint | undefined {
  const ipv4 = parseAddress(text);
  if (ipv4 !== undefined) return mapped.first + BigInt(ipv4);
  if (!isIPv6(text) || text.includes('%')) return undefined;
  const address = numberOf(text);
  return contains(mapped, address) ? undefined : address;
}

/** Of a text that is an IPv6 address. */
function numberOf(text: string): bigint {
  const [head = '', tail] = text.split('::').map(groupsOf);
  const zeros = tail === undefined ? '' : '0'.repeat(address_bits / 4 - head.length - tail.length);
  return BigInt(`0x${head}${zeros}${tail ?? ''}`);
}

/** Groups between colons as hexadecimal digits; the last may be an IPv4 address. */
function groupsOf(text: string): string {
  if (text === '') return '';
  return text
    .split(':')
    .map((group) =>
      group.includes('.') ? (parseAddress(group) ?? 0).toString(16).padStart(8, '0') : group.padStart(4, '0'),
    )
    .join('');
}

/** As the kernel and nft write it (RFC 5952). */
export function formatIP(address: bigint): string {
  if (familyOf(address) === 4) return formatAddress(Number(address - mapped.first));
  const groups = Array.from({ length: 8 }, (_, at) => (address >> BigInt(112 - 16 * at)) & 0xffffn);
  const text = groups.map((group) => group.toString(16)).join(':');
  const [longest] = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  if (longest === undefined) return text;
  const [before, after] = [text.slice(0, longest.index), text.slice(longest.index + longest[0].length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

export function familyOf(address: bigint): Family {
  return contains(mapped, address) ? 4 : 6;
}

/** Whether a text that is an address, or an address with the length of its prefix, is one of IPv6. */
export function isOfIPv6(text: string): boolean {
  return text.includes(':');
}

/** `address/bits` taken apart, bits below the prefix kept; undefined of anything else. */
export function parseCIDR(text: string): { address: bigint; block: Block } | undefined {
  const match = /^([\da-fA-F.:]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = parseIP(match?.[1] ?? '');
  if (address === undefined) return undefined;
  const bits = Number(match?.[2]) + (familyOf(address) === 4 ? mapped.bits : 0);
  if (bits > address_bits) return undefined;
  return { address, block: { first: address - (address % sizeOf(bits)), bits } };
}

/** Of the block's CIDR: how many leading bits its family's addresses share. */
export function prefixOf({ first, bits }: Block): number {
  return familyOf(first) === 4 ? bits - mapped.bits : bits;
}

/** A block of a family by the length of its prefix. */
export function blockAt(first: bigint, prefix: number): Block {
  return { first, bits: familyOf(first) === 4 ? prefix + mapped.bits : prefix };
}

/** How many addresses share so many leading bits. */
export function sizeOf(bits: number): bigint {
  return 1n << BigInt(address_bits - bits);
}

export function lastOf(block: Block): bigint {
  return block.first + sizeOf(block.bits) - 1n;
}

export function formatBlock(block: Block): string {
  return `${formatIP(block.first)}/${prefixOf(block)}`;
}

export function contains(block: Block, address: bigint): boolean {
  return address >= block.first && address <= lastOf(block);
}

export function overlap(a: Block, b: Block): boolean {
  return a.first <= lastOf(b) && b.first <= lastOf(a);
}

/** The address of a CIDR without its prefix, in the form that is compared; '' of what is none. */
export function addressIn(cidr: string): string {
  const address = parseCIDR(cidr)?.address;
  return address === undefined ? '' : formatIP(address);
}
