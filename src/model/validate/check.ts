import { ShoalError } from '../errors.js';

/** Refuses a field: the path of it, and what is allowed there. */
export function refuse(where: string, what: string): never {
  throw new ShoalError('invalid-argument', `${where}: ${what}`);
}

/** Refuses a field in Docker's own words, which users and tools look for, with the path of the field behind them. */
export function refuseAs(words: string, where: string): never {
  throw new ShoalError('invalid-argument', `${words} (${where})`);
}

/** Text of a value in an error: quoted, and cut when it is long. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}

/** The same where Docker writes it without quotes. */
export function bare(value: string): string {
  return shown(value).slice(1, -1);
}

/** One of Docker's enumeration strings. `words` are what Docker says of another one, where it says so by itself. */
export function checkOneOf(where: string, value: string, allowed: readonly string[], words?: string): void {
  if (allowed.includes(value)) return;
  const expected = `expected one of ${allowed.filter((one) => one !== '').join(', ')}`;
  if (words !== undefined) refuseAs(words, `${where}, ${expected}`);
  refuse(where, `${shown(value)} is not known; ${expected}`);
}

const controlCharacter = /[\x00-\x1f\x7f]/;

/** A name, path or word that ends up in a header, a file or a terminal: control characters are refused. */
export function checkPlain(where: string, value: string): void {
  if (controlCharacter.test(value)) refuse(where, `${shown(value)} must not contain control characters`);
}

/** Labels and options: plain keys; values may go over several lines, and have no other control character. */
export function checkLabels(where: string, labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) {
    if (key === '') refuse(where, 'a key must not be empty');
    checkPlain(`${where} key`, key);
    if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(value)) {
      refuse(`${where}[${shown(key)}]`, 'must not contain control characters other than line breaks and tabs');
    }
  }
}

export function checkRange(where: string, value: number, min: number, max: number): void {
  if (value < min || value > max) refuse(where, `${value} is not from ${min} to ${max}`);
}

export function checkNotNegative(where: string, value: number): void {
  if (value < 0) refuse(where, `${value} must not be negative`);
}

/** Whether the text holds a template, whose value only the worker knows. */
export function hasTemplate(text: string): boolean {
  return text.includes('{{');
}
