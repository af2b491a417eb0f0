import { commandsFor } from './commands.js';
import { differenceIn, parseListing } from './listing.js';
import { comparedTableName, tableName } from './names.js';
import type { Observed } from './observed.js';
import { type Ruleset, renderWhole } from './ruleset.js';
import { sysctlsFor } from './sysctls.js';
import type { KernelTools } from './tools.js';
import type { Wanted } from './wanted.js';

/**
 * Where the kernel is not as wanted, a line each; none when it is. Unlike the look that is taken every few seconds it compares what every rule
 * says: a second table is made from the same rules, and nft's words for both are compared. Throws what the tools throw.
 */
export async function differencesFrom(wanted: Wanted, actual: Observed, tools: KernelTools): Promise<string[]> {
  const { ip, bridge } = commandsFor(wanted.kernel, actual);
  const lines = [...ip.map((line) => `ip ${line}`), ...bridge.map((line) => `bridge ${line}`)].map(
    (line) => `to be done: ${line}`,
  );
  lines.push(...actual.bypassing.map((setting) => `to be done: link set ${setting} 1`));
  lines.push(...(await tableDifferences('ip', wanted.rules?.ipv4, tools)));
  lines.push(...(await tableDifferences('ip6', wanted.rules?.ipv6, tools)));
  if (wanted.kernel.tunnel !== undefined) {
    for (const [path, value] of sysctlsFor(wanted.kernel, wanted.hasPlane)) {
      const found = tools.sysctl(path);
      if (found !== undefined && found !== value) lines.push(`${path} is ${found}, not ${value}`);
    }
  }
  return lines;
}

async function tableDifferences(
  family: Ruleset['family'],
  rules: Ruleset | undefined,
  tools: KernelTools,
): Promise<string[]> {
  const text = await tools.run('nft', ['list', 'table', family, tableName]).catch(() => undefined);
  if (text === undefined || rules === undefined) {
    if (text === rules) return [];
    const table = `table ${family} ${tableName}`;
    return [text === undefined ? `${table} is missing` : `${table} should not be there`];
  }
  const found = parseListing(text);
  const difference = differenceIn(found, rules);
  if (difference !== undefined) return [difference];
  const chains = await wordsOf(rules, tools);
  return [...chains].flatMap(([name, wanted]) =>
    wanted.flatMap((rule, at) => {
      const is = found.chains.get(name)?.[at];
      return is === rule ? [] : [`chain ${name} of ${family} has "${is}", not "${rule}"`];
    }),
  );
}

/** The rules by chain as nft words them. */
async function wordsOf(
  { family, sets, chains }: Ruleset,
  tools: KernelTools,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const unhooked = new Map([...chains].map(([name, { rules }]) => [name, { hook: '', rules }]));
  await tools.run('nft', ['-f', '-'], renderWhole({ family, sets, chains: unhooked }, comparedTableName));
  try {
    return parseListing(await tools.run('nft', ['list', 'table', family, comparedTableName])).chains;
  } finally {
    await tools.run('nft', ['delete', 'table', family, comparedTableName]);
  }
}
