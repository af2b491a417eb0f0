import { tableName } from './names.js';

/** An nft table as data: sets and maps with their elements, chains with their rules. */
export interface Ruleset {
  sets: ReadonlyMap<string, RuleSet>;
  chains: ReadonlyMap<string, RuleChain>;
}
/** Of a set every value is ''; of a map it is what the key leads to. */
export interface RuleSet {
  kind: 'set' | 'map';
  /** With flags: `type ipv4_addr : verdict`. */
  type: string;
  elements: ReadonlyMap<string, string>;
}
export interface RuleChain {
  /** `type … hook … priority …; policy …` of a base chain; '' of others. */
  hook: string;
  rules: readonly string[];
}

/** As nft shows a mark. */
export const hex = (mark: number) => `0x${mark.toString(16).padStart(8, '0')}`;

/** The whole as one transaction that takes the place of whatever the table was; `name` only where it shall be another table than ours. */
export function renderWhole({ sets, chains }: Ruleset, name = tableName): string {
  const lines = [`table ip ${name}`, `delete table ip ${name}`, `table ip ${name} {`];
  for (const [name, { kind, type, elements }] of sets) {
    const content = elements.size === 0 ? '' : ` elements = { ${[...elements].map(element).join(', ')} };`;
    lines.push(`  ${kind} ${name} { ${type};${content} }`);
  }
  for (const [name, { hook, rules }] of chains) {
    lines.push(`  chain ${name} {${hook === '' ? '' : ` ${hook};`}`, ...rules.map((rule) => `    ${rule}`), '  }');
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

/** What makes `after` of `before` as one transaction, in proportion to their difference; '' when there is none. Both have the same sets. */
export function renderChange(before: Ruleset, after: Ruleset): string {
  // A rule or an element may lead to any chain: so all are there before, and go after.
  const lines = [...after.chains]
    .filter(([name]) => !before.chains.has(name))
    .map(([name, { hook }]) => `add chain ip ${tableName} ${name}${hook === '' ? '' : ` { ${hook}; }`}`);
  const stale = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const [name, chain] of after.chains) {
    const old = before.chains.get(name);
    if (old !== undefined && old.rules.join('\n') === chain.rules.join('\n')) continue;
    if (old !== undefined) lines.push(`flush chain ip ${tableName} ${name}`);
    lines.push(...chain.rules.map((rule) => `add rule ip ${tableName} ${name} ${rule}`));
  }
  for (const [name, { elements }] of after.sets) {
    const old = before.sets.get(name)!.elements;
    const gone = [...old].filter(([key, value]) => elements.get(key) !== value);
    const come = [...elements].filter(([key, value]) => old.get(key) !== value);
    if (gone.length > 0)
      lines.push(`delete element ip ${tableName} ${name} { ${gone.map(([key]) => key).join(', ')} }`);
    if (come.length > 0) lines.push(`add element ip ${tableName} ${name} { ${come.map(element).join(', ')} }`);
  }
  for (const action of ['flush', 'delete']) {
    lines.push(...stale.map((name) => `${action} chain ip ${tableName} ${name}`));
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function element([key, value]: [string, string]): string {
  return value === '' ? key : `${key} : ${value}`;
}
