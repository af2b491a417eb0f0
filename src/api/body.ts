import { ShoalError } from '../model/errors.js';

/** A request body that is no message of the model: keys as Go matches them, wrong types refused by name. */
export class Body {
  private readonly values: ReadonlyMap<string, unknown>;

  constructor(body: unknown) {
    if (body === undefined) {
      throw new ShoalError('invalid-argument', 'invalid JSON: got EOF while reading request body');
    }
    if (body !== null && (typeof body !== 'object' || Array.isArray(body))) {
      throw new ShoalError('invalid-argument', 'the request body must be an object');
    }
    this.values = new Map(Object.entries(body ?? {}).map(([key, value]) => [key.toLowerCase(), value]));
  }

  /** What the body has under the key, not looked at; undefined when it has nothing. */
  raw(name: string): unknown {
    return this.values.get(name.toLowerCase()) ?? undefined;
  }

  string(name: string): string {
    const value = this.raw(name) ?? '';
    if (typeof value !== 'string') throw new ShoalError('invalid-argument', `${name}: must be a string`);
    if (/[\x00-\x1f\x7f]/.test(value)) {
      throw new ShoalError('invalid-argument', `${name}: must not contain control characters`);
    }
    return value;
  }

  strings(name: string): string[] {
    const value = this.raw(name) ?? [];
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string' || /[\x00-\x1f\x7f]/.test(one))) {
      throw new ShoalError('invalid-argument', `${name}: must be an array of plain strings`);
    }
    return value;
  }

  integer(name: string, min: number, max: number): number {
    const value = this.raw(name) ?? 0;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw new ShoalError('invalid-argument', `${name}: must be a whole number from ${min} to ${max}`);
    }
    return value;
  }

  boolean(name: string): boolean {
    const value = this.raw(name) ?? false;
    if (typeof value !== 'boolean') throw new ShoalError('invalid-argument', `${name}: must be true or false`);
    return value;
  }
}
