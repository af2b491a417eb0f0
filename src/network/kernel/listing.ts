import type { Ruleset } from './ruleset.js';

/** What `nft list table` shows, as far as it can be compared with what was asked for: nft has its own words for rules. */
export interface Listing {
  /** Elements by set or map, `key : value` of a map. */
  sets: ReadonlyMap<string, ReadonlySet<string>>;
  /** Rules by chain, as nft words them. */
  chains: ReadonlyMap<string, readonly string[]>;
}

/** Takes nft's listing of one table apart. */
export function parseListing(text: string): Listing {
  const sets = new Map<string, Set<string>>();
  const chains = new Map<string, string[]>();
  for (const [, kind, name = '', body = ''] of text.matchAll(/^\t(set|map|chain) (\S+) \{\n(.*?)^\t\}$/gms)) {
    if (kind === 'chain') chains.set(name, rulesIn(body));
    else sets.set(name, elementsIn(body));
  }
  return { sets, chains };
}

function rulesIn(body: string): string[] {
  return body
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('type '));
}

function elementsIn(body: string): Set<string> {
  const list = /elements = \{(.*)\}/s.exec(body)?.[1] ?? '';
  return new Set(
    list
      .split(',')
      .map((element) => element.trim().replace(/\s+/g, ' '))
      .filter((element) => element !== ''),
  );
}

/**
 * Where the table is not as wanted, in words; undefined when nothing shows. Elements and the number of rules are looked at, not what the
 * rules say.
 */
export function differenceIn({ sets, chains }: Listing, wanted: Ruleset): string | undefined {
  for (const name of chains.keys()) if (!wanted.chains.has(name)) return `chain ${name} should not be there`;
  for (const [name, { rules }] of wanted.chains) {
    const found = chains.get(name);
    if (found === undefined) return `chain ${name} is missing`;
    if (found.length !== rules.length) return `chain ${name} has ${found.length} rules, not ${rules.length}`;
  }
  for (const [name, { elements }] of wanted.sets) {
    const found = sets.get(name);
    if (found === undefined) return `set ${name} is missing`;
    for (const [key, value] of elements) {
      const element = value === '' ? key : `${key} : ${value}`;
      if (!found.has(element)) return `set ${name} lacks ${element}`;
    }
    if (found.size !== elements.size) return `set ${name} has ${found.size} elements, not ${elements.size}`;
  }
  return undefined;
}
