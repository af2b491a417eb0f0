import { type ActualKernel, commandsFor } from './commands.js';
import type { DesiredKernel } from './desired.js';
import { differenceIn, parseListing } from './listing.js';
import { comparedTableName, tableName } from './names.js';
import { type Ruleset, renderWhole } from './ruleset.js';
import { sysctlsFor } from './sysctls.js';
import type { KernelTools } from './tools.js';

/** What the node's kernel shall have, all of it. */
export interface Wanted {
  kernel: DesiredKernel;
  /** Undefined: no table. */
  rules: Ruleset | undefined;
  /** Whether published ports are balanced in the kernel. */
  hasPlane: boolean;
}

/**
 * Where the kernel is not as wanted, a line each; none when it is. Unlike the look that is taken every few seconds it compares what every rule
 * says: a second table is made from the same rules, and nft's words for both are compared. Throws what the tools throw.
 */
export async function differencesFrom(wanted: Wanted, actual: ActualKernel, tools: KernelTools): Promise<string[]> {
  const { ip, bridge } = commandsFor(wanted.kernel, actual);
  const lines = [...ip.map((line) => `ip ${line}`), ...bridge.map((line) => `bridge ${line}`)].map(
    (line) => `to be done: ${line}`,
  );
  lines.push(...(await tableDifferences(wanted.rules, tools)));
  if (wanted.kernel.tunnel !== undefined) {
    for (const [path, value] of sysctlsFor(wanted.kernel.bridges, wanted.hasPlane)) {
      const found = tools.sysctl(path);
      if (found !== undefined && found !== value) lines.push(`${path} is ${found}, not ${value}`);
    }
  }
  return lines;
}

async function tableDifferences(rules: Ruleset | undefined, tools: KernelTools): Promise<string[]> {
  const text = await tools.run('nft', ['list', 'table', 'ip', tableName]).catch(() => undefined);
  if (text === undefined || rules === undefined) {
    if (text === rules) return [];
    return [text === undefined ? `table ip ${tableName} is missing` : `table ip ${tableName} should not be there`];
  }
  const found = parseListing(text);
  const difference = differenceIn(found, rules);
  if (difference !== undefined) return [difference];
  const chains = await wordsOf(rules, tools);
  return [...chains].flatMap(([name, wanted]) =>
    wanted.flatMap((rule, at) => {
      const is = found.chains.get(name)?.[at];
      return is === rule ? [] : [`chain ${name} has "${is}", not "${rule}"`];
    }),
  );
}

/** The rules by chain as nft words them. */
async function wordsOf({ sets, chains }: Ruleset, tools: KernelTools): Promise<ReadonlyMap<string, readonly string[]>> {
  const unhooked = new Map([...chains].map(([name, { rules }]) => [name, { hook: '', rules }]));
  await tools.run('nft', ['-f', '-'], renderWhole({ sets, chains: unhooked }, comparedTableName));
  try {
    return parseListing(await tools.run('nft', ['list', 'table', 'ip', comparedTableName])).chains;
  } finally {
    await tools.run('nft', ['delete', 'table', 'ip', comparedTableName]);
  }
}
