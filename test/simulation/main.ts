import { parseArgs } from 'node:util';
import { simulate as simulateCluster } from './cluster/scenario.js';
import { simulate as simulateRaft } from './raft/scenario.js';

// npm run simulate -- [raft|cluster|services] [--seeds N] [--seed FIRST] [--until-failure]: runs N scenarios from seed FIRST on (one, if only
// --seed is given).

const scenarios = {
  raft: simulateRaft,
  cluster: (seed: number) => simulateCluster(seed),
  services: (seed: number) => simulateCluster(seed, true),
};
const usage =
  'usage: npm run simulate -- [raft|cluster|services] [--seeds N] [--seed FIRST] [--until-failure], N and FIRST integers';

const { values, positionals } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, 'until-failure': { type: 'boolean' } },
  allowPositionals: true,
});
const name = positionals[0] ?? 'raft';
const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1));
const isCount = Number.isSafeInteger(first) && Number.isSafeInteger(count) && count >= 1;
if (!isCount || !Object.hasOwn(scenarios, name) || positionals.length > 1) {
  console.error(usage);
  process.exit(2);
}
const simulate: (seed: number) => Promise<object> = scenarios[name as keyof typeof scenarios];

let failed = 0;
const totals = new Map<string, number>();
const start_ms = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulate(seed);
    if (count === 1) console.log(result);
    for (const [what, value] of Object.entries(result)) {
      if (what !== 'seed' && typeof value === 'number') totals.set(what, (totals.get(what) ?? 0) + value);
    }
  } catch (error) {
    failed++;
    console.error((error as Error).message);
    console.error(((error as Error).cause as Error | undefined)?.stack);
    if (values['until-failure'] === true) break;
  }
  if ((seed - first + 1) % 100 === 0) console.log(`${seed - first + 1} seeds, ${failed} failed`);
}
const seconds = ((performance.now() - start_ms) / 1000).toFixed(1);
const sums = [...totals].map(([what, sum]) => `${Math.round(sum)} ${what}`).join(', ');
console.log(`${count} seeds in ${seconds} s, ${failed} failed: ${sums}`);
process.exit(failed === 0 ? 0 : 1);
