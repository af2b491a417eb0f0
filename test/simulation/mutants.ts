import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';
import { servicesMutants } from './cluster/mutants.js';
import { raftMutants } from './raft/mutants.js';

// npm run simulate:mutants -- [raft|services] [--seeds N] [NAME…]: puts one deliberate bug after the other into a copy of the built
// program and runs the simulation on it. A bug that the simulation does not find is a hole in the simulation.

export interface Mutant {
  name: string;
  file: string;
  find: string;
  replace: string;
  /** It takes a chain of events so long that chance does not find it in reasonable time: this unit test must. */
  unitTest?: string;
}

const hunts = {
  raft: { mutants: raftMutants, source: 'src/raft', seeds: 1000, scenario: 'raft' },
  services: { mutants: servicesMutants, source: 'src', seeds: 60, scenario: 'clocks' }, // the one that asks for most
};

const root = packageRoot();
const folder = join(root, 'dist', 'mutant');

function plant(mutant: Mutant, source: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ['src', 'test/simulation', 'test/unit/raft', 'test/helpers']) {
    cpSync(join(root, 'dist', part), join(folder, part), { recursive: true });
  }
  const path = join(folder, source, mutant.file);
  const text = readFileSync(path, 'utf8');
  const found = text.split(mutant.find).length - 1;
  if (found !== 1) throw new Error(`mutant "${mutant.name}": its place is ${found} times in ${mutant.file}`);
  writeFileSync(
    path,
    text.replace(mutant.find, () => mutant.replace),
  );
}

function failsUnitTest(name: string): string | undefined {
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js');
  const test = join(folder, 'test/unit/raft', name);
  const run = spawnSync(process.execPath, [mocha, '--no-config', '--reporter', 'dot', test], { encoding: 'utf8' });
  return run.status === 0 ? undefined : `unit test ${name}`;
}

function hunt(scenario: string, seeds: number): string | undefined {
  const main = join(folder, 'test/simulation/main.js');
  const run = spawnSync(process.execPath, [main, scenario, '--seeds', String(seeds), '--until-failure'], {
    encoding: 'utf8',
  });
  if (run.status === 0) return undefined;
  if (/ERR_MODULE_NOT_FOUND|SyntaxError/.test(run.stderr))
    throw new Error(`it did not run: ${run.stderr.slice(0, 500)}`);
  return /^seed \d+: .*$/m.exec(run.stderr)?.[0] ?? run.stderr.trim().split('\n').slice(0, 3).join(' / ');
}

const arguments_ = process.argv.slice(2);
const kind = arguments_[0] === 'services' ? 'services' : 'raft';
if (arguments_[0] === kind) arguments_.shift();
const { mutants, source, seeds: usual, scenario } = hunts[kind];
const seedsAt = arguments_.indexOf('--seeds');
const seeds = seedsAt === -1 ? usual : Number(arguments_.splice(seedsAt, 2)[1]);
const chosen = mutants.filter(({ name }) => arguments_.length === 0 || arguments_.some((part) => name.includes(part)));
let missed = 0;
for (const mutant of chosen) {
  plant(mutant, source);
  const how = mutant.unitTest === undefined ? hunt(scenario, seeds) : failsUnitTest(mutant.unitTest);
  if (how === undefined) missed++;
  console.log(how === undefined ? `MISSED ${mutant.name}` : `found  ${mutant.name}\n         ${how.slice(0, 160)}`);
}
if (existsSync(folder)) rmSync(folder, { recursive: true });
console.log(`${chosen.length - missed} of ${chosen.length} deliberate bugs found, with up to ${seeds} seeds each`);
process.exit(missed === 0 ? 0 : 1);
