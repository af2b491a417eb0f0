import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ShoalError } from '../model/errors.js';

/** A key that data on this node's disk is sealed under: 256 bits. Its id stands in front of everything that it sealed. */
export interface DataKey {
  id: number;
  key: Buffer;
}

const cipher = 'aes-256-gcm';
export const keyBytes = 32;
const idBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;
const noncesAtOnce = 256; // asking the kernel for each cost as much as the encryption

/** A new data key, with an id after those of `before`. */
export function newDataKey(before: readonly DataKey[]): DataKey {
  return { id: Math.max(0, ...before.map(({ id }) => id)) + 1, key: randomBytes(keyBytes) };
}

/**
 * Seals under the newest of its keys and opens what any of them has sealed: AES-256-GCM, a fresh nonce by chance each time (NIST SP
 * 800-38D, 8.2.2: good for 2^32 records a key), the place authenticated with it.
 */
export class KeyRing {
  readonly overheadBytes = idBytes + nonceBytes + tagBytes;
  #keys: readonly DataKey[];
  readonly #used = new Set<number>();
  #nonces = Buffer.alloc(0);

  /** Oldest first; at least one. */
  constructor(keys: readonly DataKey[]) {
    if (keys.length === 0) throw new ShoalError('internal', 'no key to encrypt the state with');
    this.#keys = [...keys];
  }

  get keys(): readonly DataKey[] {
    return this.#keys;
  }

  /** The newest key, and those that have opened something since the ring was made: what a disk that was read whole still needs. */
  get usedKeys(): readonly DataKey[] {
    return this.#keys.filter((key) => key === this.#newest || this.#used.has(key.id));
  }

  get #newest(): DataKey {
    return this.#keys.at(-1)!;
  }

  /** Seals under the last of these from now on. */
  setKeys(keys: readonly DataKey[]): void {
    this.#keys = [...keys];
  }

  seal(plain: Uint8Array, place: string): Buffer {
    const { id, key } = this.#newest;
    const head = Buffer.allocUnsafe(idBytes + nonceBytes);
    head.writeUInt32LE(id);
    this.#nextNonce().copy(head, idBytes);
    const seal = createCipheriv(cipher, key, head.subarray(idBytes)).setAAD(Buffer.from(place));
    return Buffer.concat([head, seal.update(plain), seal.final(), seal.getAuthTag()]);
  }

  /** Random bytes that were never handed out before. */
  #nextNonce(): Buffer {
    if (this.#nonces.length === 0) this.#nonces = randomBytes(nonceBytes * noncesAtOnce);
    const nonce = this.#nonces.subarray(0, nonceBytes);
    this.#nonces = this.#nonces.subarray(nonceBytes);
    return nonce;
  }

  /** Throws when the data was not sealed for this place under one of the keys. */
  open(sealed: Uint8Array, place: string): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (bytes.length < this.overheadBytes) throw refused('it is too short');
    const id = bytes.readUInt32LE();
    const key = this.#keys.find((one) => one.id === id)?.key;
    if (key === undefined) throw refused(`it was encrypted under key ${id}, which is not here`);
    const open = createDecipheriv(cipher, key, bytes.subarray(idBytes, idBytes + nonceBytes), {
      authTagLength: tagBytes,
    });
    open.setAAD(Buffer.from(place)).setAuthTag(bytes.subarray(-tagBytes));
    try {
      const plain = Buffer.concat([open.update(bytes.subarray(idBytes + nonceBytes, -tagBytes)), open.final()]);
      this.#used.add(id);
      return plain;
    } catch {
      throw refused('it was changed, or belongs to another place');
    }
  }
}

function refused(what: string): Error {
  return new Error(`encrypted data cannot be read: ${what}`);
}
