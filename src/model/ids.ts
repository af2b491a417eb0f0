import type { Random } from './random.js';

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';
const length = 25; // as Docker's: 128 bits of chance in base 36

/** A new object id in Docker's form: 25 characters of base 36. */
export function newID(random: Random): string {
  let id = '';
  for (let at = 0; at < length; at++) id += alphabet[random.below(alphabet.length)];
  return id;
}

/** Whether `text` can be an id of ours. Anything else from outside is refused before it reaches a path, a label or a query. */
export function isID(text: string): boolean {
  return /^[0-9a-z]{25}$/.test(text);
}
