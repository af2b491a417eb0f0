import { parseArgs } from 'node:util';
import { simulate as simulateCluster } from './cluster/scenario.js';
import { simulate as simulateRaft } from './raft/scenario.js';

// npm run simulate -- [raft|cluster|services|clocks] [--seeds N] [--seed FIRST] [--until-failure]: runs N scenarios from seed FIRST on (one, if only
// --seed is given).

const scenarios = {
  raft: simulateRaft,
  cluster: (seed: number) => simulateCluster(seed),
  services: (seed: number) => simulateCluster(seed, true),
  clocks: (seed: number) => simulateCluster(seed, true, true),
};
const usage =
  'usage: npm run simulate -- [raft|cluster|services|clocks] [--seeds N] [--seed FIRST] [--until-failure], N and FIRST integers';

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

// A stack costs more than the refusal it is made for; whatever fails runs again with all of it.
const shallow = 0;
const deep = 30;

let failed = 0;
let done = 0;
let stopping = false;
const totals = new Map<string, number>();
const start_ms = performance.now();

function summary(): string {
  const seconds = ((performance.now() - start_ms) / 1000).toFixed(1);
  const processor = process.cpuUsage();
  const each_ms = ((processor.user + processor.system) / 1000 / Math.max(1, done)).toFixed(1);
  const sums = [...totals].map(([what, sum]) => `${Math.round(sum)} ${what}`).join(', ');
  return `${done} seeds in ${seconds} s, ${each_ms} ms of a processor each, ${failed} failed: ${sums}`;
}

async function run(seed: number): Promise<void> {
  Error.stackTraceLimit = shallow;
  try {
    const result = await simulate(seed);
    if (count === 1) console.log(result);
    for (const [what, value] of Object.entries(result)) {
      if (what !== 'seed' && typeof value === 'number') totals.set(what, (totals.get(what) ?? 0) + value);
    }
  } catch {
    failed++;
    Error.stackTraceLimit = deep;
    const error = await simulate(seed).then(
      () => new Error(`seed ${seed}: failed, and did not when it was run again`),
      (again: Error) => again,
    );
    console.error(error.message);
    console.error((error.cause as Error | undefined)?.stack);
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (stopping = true));
for (let seed = first; seed < first + count && !stopping; seed++) {
  await run(seed);
  done++;
  if (failed > 0 && values['until-failure'] === true) break;
  if (done % 1000 === 0) console.log(summary());
  // Signals are heard between two turns of the event loop only, and a simulation may take none.
  await new Promise((resolve) => setImmediate(resolve));
}
console.log(summary());
process.exit(failed === 0 ? 0 : 1);
