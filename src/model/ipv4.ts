/** A block of IPv4 addresses: its first address as a number, and how many leading bits all of it share. */
export interface Block {
  readonly first: number;
  readonly bits: number;
}

/** The address as a number; undefined of what is no IPv4 address in dotted decimals. */
export function parseAddress(text: string): number | undefined {
  const match = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (match === null) return undefined;
  const parts = match.slice(1).map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + part, 0);
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}

/** `address/bits` taken apart, bits below the prefix kept; undefined of anything else. */
export function parseCIDR(text: string): { address: number; block: Block } | undefined {
  const match = /^([\d.]+)\/(0|[1-9]\d?)$/.exec(text);
  const address = parseAddress(match?.[1] ?? '');
  const bits = Number(match?.[2]);
  if (address === undefined || bits > 32) return undefined;
  return { address, block: { first: address - (address % sizeOf(bits)), bits } };
}

/** How many addresses share so many leading bits. */
export function sizeOf(bits: number): number {
  return 2 ** (32 - bits);
}

export function lastOf(block: Block): number {
  return block.first + sizeOf(block.bits) - 1;
}

export function formatBlock(block: Block): string {
  return `${formatAddress(block.first)}/${block.bits}`;
}

export function contains(block: Block, address: number): boolean {
  return address >= block.first && address <= lastOf(block);
}

export function overlap(a: Block, b: Block): boolean {
  return a.first <= lastOf(b) && b.first <= lastOf(a);
}
