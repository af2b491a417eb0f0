import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

/** Simulated time takes a processor each: no more at once than there are, and two are enough. */
const processes_max = 2;

/**
 * Runs `count` seeds of a scenario of main.ts from `first` on, shared out among processes. Returns the sums that they print, by name;
 * throws what they print of seeds that failed.
 */
export async function simulateSeeds(scenario: string, first: number, count: number): Promise<Map<string, number>> {
  const share = Math.ceil(count / Math.min(processes_max, availableParallelism()));
  const runs: Promise<string>[] = [];
  for (let from = first; from < first + count; from += share) {
    runs.push(run(scenario, from, Math.min(share, first + count - from)));
  }
  const sums = new Map<string, number>();
  for (const printed of await Promise.all(runs)) {
    for (const [, value = '', name = ''] of printed.matchAll(/(\d+) (\w+)(?=,|$)/gm)) {
      sums.set(name, (sums.get(name) ?? 0) + Number(value));
    }
  }
  return sums;
}

function run(scenario: string, seed: number, seeds: number): Promise<string> {
  const main = join(packageRoot(), 'dist/test/simulation/main.js');
  const options = [scenario, '--seed', String(seed), '--seeds', String(seeds)];
  const child = spawn(process.execPath, ['--enable-source-maps', main, ...options]);
  let printed = '';
  let failures = '';
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    failures += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(printed) : reject(new Error(failures || `ended with ${code}`))));
  });
}
