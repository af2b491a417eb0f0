import { basename, dirname } from 'node:path';
import { tryRun } from '../../../src/lab/run.js';
import { type Line, parseLine } from './scenario.js';

export interface Place {
  name: string;
  address: string;
  /** Of the API that `docker` talks to there. */
  socket: string;
}

/** One of the two clusters that a scenario runs on. */
export interface Side {
  client: string;
  A: Place;
  B: Place;
  /** Where the scenario's files are. */
  directory: string;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** An image that both kinds of cluster start at once: the registry of its name refuses at once, so what is on the node is taken. */
export const image = '127.0.0.1:9/web:1';
const patience_ms = 40_000;
/** A command that hangs is ended, and counts with the exit code 124. */
const lineMax_s = 25;

/** Runs one line, and waits with it if it is of that kind. */
export async function runLine(side: Side, text: string): Promise<Outcome> {
  const line = parseLine(text);
  const end = performance.now() + patience_ms;
  for (;;) {
    const outcome = await run(side, line);
    if (line.until === undefined || holds(line.until, outcome)) return outcome;
    if (performance.now() > end) {
      throw new Error(`${side.A.name}: ${text}: still ${outcome.code} ${outcome.stdout}${outcome.stderr}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A number stands for so many lines, nothing for success. */
function holds(until: string, { code, stdout, stderr }: Outcome): boolean {
  if (until === '') return code === 0 && stderr === '';
  if (/^\d+$/.test(until)) return stdout.trim().split('\n').length === Number(until);
  return `${stdout}${stderr}`.includes(until);
}

async function run(side: Side, { words, host }: Line): Promise<Outcome> {
  const args: string[] = [];
  for (const word of words) args.push(...(await filledIn(side, word)));
  return tryRun('timeout', [String(lineMax_s), side.client, ...args], {
    cwd: side.directory,
    env: { DOCKER_HOST: `unix://${side[host].socket}`, DOCKER_API_VERSION: '1.41', DOCKER_CLI_HINTS: 'false' },
  });
}

async function filledIn(side: Side, word: string): Promise<string[]> {
  const inner = /^(.*)\$\(([^)]*)\)$/.exec(word);
  if (inner !== null) {
    const { stdout } = await run(side, parseLine(inner[2]!));
    return [inner[1] + stdout.trim()];
  }
  const values = {
    A: side.A.address,
    B: side.B.address,
    NAME_A: side.A.name,
    NAME_B: side.B.name,
    IMAGE: image,
    RUN: basename(dirname(dirname(side.client))), // what one client left behind is not taken for another's
  };
  return [word.replace(/\{(A|B|NAME_A|NAME_B|IMAGE|RUN)\}/g, (_all, name: keyof typeof values) => values[name])];
}
