import { hkdfSync } from 'node:crypto';
import type { DataPathKey } from '../../../model/types.js';

/** A node at one end. */
export interface End {
  ID: string;
  Number: number;
  /** NodeEncryption.Epoch: another one after its kernel has forgotten the numbers of the packets that it sent or took. */
  epoch: number;
  address: string;
}

/** What packets from one node to another are encrypted with for a time (a security association). */
export interface Seal {
  from: string;
  to: string;
  /** Security parameter index: what the receiver knows it by. */
  spi: number;
  /** AES-128 key and salt (RFC 4106, 8.1), in hexadecimal digits. */
  key: string;
}

/** 16 of the key, 4 of the salt. */
const key_bytes = 20;

/**
 * The seal from one node to another with keys of this generation. Each direction has a key of its own, for one sender alone, for one life of both
 * kernels: so no number of a packet, which is what its nonce comes from, is ever used twice with a key (RFC 4106, 8.1). With another address at
 * either end the kernel has another state, which counts from 0: that has another key, too.
 */
export function sealOf({ Generation, Key }: DataPathKey, from: End, to: End): Seal {
  const nameOf = ({ ID, epoch, address }: End) => `${ID} ${epoch} ${address}`;
  const about = `shoal esp ${Generation} ${nameOf(from)} ${nameOf(to)}`;
  const derived = Buffer.from(hkdfSync('sha256', Key, '', about, key_bytes + 2));
  return {
    from: from.address,
    to: to.address,
    spi: spiOf(from.Number, Generation, derived.readUInt16BE(key_bytes)),
    key: derived.toString('hex', 0, key_bytes),
  };
}

/**
 * A receiver tells seals apart by this alone: so it holds the sender's number (16 bits), as much of the generation as tells neighbouring ones apart, and
 * what is left of the rest. Above the first 256, which are reserved (RFC 4303, 2.1).
 */
function spiOf(senderNumber: number, generation: number, rest: number): number {
  return (0x80000000 | (senderNumber << 15) | ((generation % 8) << 12) | (rest & 0xfff)) >>> 0;
}
