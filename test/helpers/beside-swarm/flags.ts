import { tryRun } from '../../../src/lab/run.js';
import { parseLine, type Scenario } from './scenario.js';

/** Commands whose every subcommand concerns a cluster, and those that do so themselves. */
const groups = ['swarm', 'node', 'service', 'stack', 'secret', 'config', 'network', 'system'];
const alone = ['info', 'events'];

/** Every command of a client that concerns a cluster, with its flags, as its `--help` lists them. */
export async function commandsOf(client: string): Promise<Map<string, string[]>> {
  const commands = new Map<string, string[]>();
  const helpOf = async (...words: string[]) => (await tryRun(client, [...words, '--help'])).stdout;
  const flagsIn = (help: string) =>
    [...help.matchAll(/^ +(?:-\w, )? *(--[a-z0-9-]+)/gm)].map(([, flag]) => flag as string);
  for (const group of groups) {
    const listed = (await helpOf(group)).split(/^Commands:$/m)[1] ?? '';
    for (const [, name] of listed.matchAll(/^ {2}([a-z-]+)/gm)) {
      commands.set(`${group} ${name}`, flagsIn(await helpOf(group, name!)));
    }
  }
  for (const name of alone) commands.set(name, flagsIn(await helpOf(name)));
  return commands;
}

const short: Readonly<Record<string, string>> = {
  '-q': '--quiet',
  '-d': '--detach',
  '-p': '--publish',
  '-l': '--label',
};

/** What the scenarios use: flags by command. */
export function usedBy(scenarios: readonly Scenario[]): Map<string, Set<string>> {
  const used = new Map<string, Set<string>>();
  const note = (words: readonly string[]) => {
    const isPair = groups.includes(words[0] ?? '');
    const command = words.slice(0, isPair ? 2 : 1).join(' ');
    const flags = used.get(command) ?? new Set();
    used.set(command, flags);
    for (const word of words.slice(isPair ? 2 : 1)) {
      const flag = word.split('=', 1)[0]!;
      if (flag.startsWith('--')) flags.add(flag);
      else if (command === 'network create' && flag === '-d') flags.add('--driver');
      else if (short[flag] !== undefined) flags.add(short[flag]);
    }
  };
  for (const { lines } of scenarios) {
    for (const line of lines) {
      note(parseLine(line).words);
      for (const [, inner] of line.matchAll(/\$\(([^)]*)\)/g)) note(parseLine(inner!).words);
    }
  }
  return used;
}
