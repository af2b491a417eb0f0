import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

/** One case of a data file: `command`, lines of `input` if any, `----`, and what is expected, up to a blank line. */
export interface DataCase {
  line: number;
  command: string;
  /** `name=(a, b)` and `name=value` on the command's line. */
  args: Map<string, string>;
  input: string[];
  expected: string;
}

/** The cases of test/data/`path`. `#` starts a comment. */
export function dataCases(path: string): DataCase[] {
  const lines = readFileSync(join(packageRoot(), 'test/data', path), 'utf8').split('\n');
  const cases: DataCase[] = [];
  let at = 0;
  while (at < lines.length) {
    const text = (lines[at] as string).trim();
    if (text === '' || text.startsWith('#')) {
      at++;
      continue;
    }
    const line = at + 1;
    const [command, ...rest] = text.split(' ') as [string, ...string[]];
    const args = new Map<string, string>();
    for (const [, name, list, value] of rest.join(' ').matchAll(/(\w+)=(?:\(([^)]*)\)|(\S+))/g)) {
      args.set(name as string, list ?? value ?? '');
    }
    const input: string[] = [];
    for (at++; lines[at] !== '----'; at++) input.push(lines[at] as string);
    const expected: string[] = [];
    for (at++; at < lines.length && lines[at] !== ''; at++) expected.push(lines[at] as string);
    cases.push({ line, command, args, input, expected: expected.join('\n') });
  }
  return cases;
}

export function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
