import { ShoalError } from './errors.js';
import type { GenericResource } from './types.js';

/**
 * What a node has of resources that only its owner knows, from `KIND=VALUE` words: one whole number counts (`ssd=3`), anything else
 * names (`gpu=uuid1`, `gpu=uuid2`). Throws `invalid-argument` in Docker's words (swarmkit api/genericresource/parse.go).
 */
export function parseGenericResources(words: readonly string[]): GenericResource[] {
  const values = new Map<string, string[]>();
  for (const word of words) {
    const [kind = '', value = '', ...rest] = word.split('=').map((part) => part.trim());
    if (kind === '' || value === '' || rest.length > 0 || /[\s,]/.test(kind)) {
      throw new ShoalError(
        'invalid-argument',
        `could not parse GenericResource: incorrect term ${word}, missing '=' or malformed expression`,
      );
    }
    values.set(kind, [...(values.get(kind) ?? []), value]);
  }
  return [...values].flatMap(([kind, given]) => resourcesOf(kind, given));
}

function resourcesOf(Kind: string, given: readonly string[]): GenericResource[] {
  const [first = ''] = given;
  if (given.length > 1 || !/^[+-]?\d+$/.test(first)) {
    return [...new Set(given)].map((Value) => ({ NamedResourceSpec: { Kind, Value }, DiscreteResourceSpec: null }));
  }
  const Value = Number(first);
  if (Value < 0 || !Number.isSafeInteger(Value)) {
    throw new ShoalError(
      'invalid-argument',
      `could not parse GenericResource: cannot ask for ${first} of resource ${Kind}`,
    );
  }
  return [{ NamedResourceSpec: null, DiscreteResourceSpec: { Kind, Value } }];
}

/** The kind that a resource is of. */
export function kindOfResource({ NamedResourceSpec: named, DiscreteResourceSpec: counted }: GenericResource): string {
  return named?.Kind ?? counted?.Kind ?? '';
}
