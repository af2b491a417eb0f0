import { parseArgs } from 'node:util';
import { simulate } from './scenario.js';

// npm run simulate -- [--seeds N] [--seed FIRST] [--until-failure]: runs N scenarios from seed FIRST on (one, if only --seed is given).

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, 'until-failure': { type: 'boolean' } },
});
const first = Number(values.seed ?? 1);
const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1));
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error('usage: npm run simulate -- [--seeds N] [--seed FIRST] [--until-failure], N and FIRST integers');
  process.exit(2);
}

let failed = 0;
let steps = 0;
let acknowledged = 0;
let reads = 0;
const start_ms = performance.now();
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulate(seed);
    steps += result.steps;
    acknowledged += result.acknowledged;
    reads += result.reads;
    if (count === 1) console.log(result);
  } catch (error) {
    failed++;
    console.error((error as Error).message);
    console.error(((error as Error).cause as Error | undefined)?.stack);
    if (values['until-failure'] === true) break;
  }
  if ((seed - first + 1) % 100 === 0) console.log(`${seed - first + 1} seeds, ${failed} failed`);
}
const seconds = ((performance.now() - start_ms) / 1000).toFixed(1);
console.log(`${count} seeds in ${seconds} s: ${steps} steps, ${acknowledged} writes, ${reads} reads, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
