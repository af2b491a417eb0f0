import { lacking } from './lacking.js';
import { tableName } from './names.js';

/** An nft table as data: sets and maps with their elements, chains with their rules. */
export interface Ruleset {
  family: 'ip' | 'ip6';
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
export function renderWhole({ family, sets, chains }: Ruleset, name = tableName): string {
  const lines = [`table ${family} ${name}`, `delete table ${family} ${name}`, `table ${family} ${name} {`];
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
  const table = `${after.family} ${tableName}`;
  // A rule or an element may lead to any chain: so all are there before, and go after.
  const lines = [...after.chains]
    .filter(([name]) => !before.chains.has(name))
    .map(([name, { hook }]) => `add chain ${table} ${name}${hook === '' ? '' : ` { ${hook}; }`}`);
  const stale = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const [name, chain] of after.chains) {
    const old = before.chains.get(name);
    if (old !== undefined && isSame(old.rules, chain.rules)) continue;
    if (old !== undefined) lines.push(`flush chain ${table} ${name}`);
    lines.push(...chain.rules.map((rule) => `add rule ${table} ${name} ${rule}`));
  }
  for (const [name, { elements }] of after.sets) {
    const old = before.sets.get(name)!.elements;
    const gone = lacking(elements, old);
    const come = lacking(old, elements);
    if (gone.length > 0) lines.push(`delete element ${table} ${name} { ${gone.map(([key]) => key).join(', ')} }`);
    if (come.length > 0) lines.push(`add element ${table} ${name} { ${come.map(element).join(', ')} }`);
  }
  for (const action of ['flush', 'delete']) {
    lines.push(...stale.map((name) => `${action} chain ${table} ${name}`));
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function element([key, value]: [string, string]): string {
  return value === '' ? key : `${key} : ${value}`;
}

/** Rules of a service that has not changed are the same object. */
function isSame(before: readonly string[], after: readonly string[]): boolean {
  return before === after || (before.length === after.length && before.every((rule, at) => rule === after[at]));
}
