import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { shoalCommand } from '../../src/lab/daemon-command.js';
import type { Host } from '../../src/lab/host.js';
import type { Lab } from '../../src/lab/lab.js';
import type { LoadReport } from '../../src/lab/load.js';
import { runShown, tryRun } from '../../src/lab/run.js';
import { packageRoot } from '../../src/model/paths.js';

const paint = (code: number, text: string) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);

export function say(text: string): void {
  console.log(`\n${paint(36, `# ${text}`)}`);
}

/** Prints a `shoal` command as a person on that host would type it, runs it for real and shows what it prints. */
export async function shoal(host: Host, ...args: string[]): Promise<void> {
  console.log(
    paint(
      1,
      `${host.name}$ shoal ${args.map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word}'`)).join(' ')}`,
    ),
  );
  const code = await runShown(shoalCommand(...args), { SHOAL_HOST: `unix://${host.apiSocket}` });
  if (code !== 0) throw new Error(`that command ended with exit code ${code}`);
}

/** What a `shoal` command prints, without showing it. */
export async function ask(host: Host, ...args: string[]): Promise<string> {
  const [program = '', ...rest] = shoalCommand('-H', `unix://${host.apiSocket}`, ...args);
  const output = await tryRun(program, rest);
  if (output.code !== 0) throw new Error(`shoal ${args.join(' ')}: ${output.stderr.trim()}`);
  return output.stdout.trim();
}

/** Asks the port of each host a few times, from outside the cluster, and shows which replicas answered. */
export async function askPort(lab: Lab, hosts: readonly Host[], port: number, times = 6): Promise<void> {
  for (const host of hosts) {
    const url = `http://${host.address}:${port}/`;
    const [program = '', ...args] = lab.askCommand(url, times);
    const output = await tryRun(program, args);
    if (output.code !== 0) throw new Error(`${url} does not answer: ${output.stderr.trim()}`);
    const answers = output.stdout.trim().split('\n');
    const replicas = [...new Set(answers)].sort();
    console.log(`${host.name}  ${url}  ${times} requests answered by ${replicas.length}: ${replicas.join(', ')}`);
  }
}

/** Starts a steady stream of requests from outside; `stop` ends it and says how it went. */
export async function startLoad(lab: Lab, urls: readonly string[]): Promise<{ stop(): Promise<LoadReport> }> {
  const program = join(packageRoot(), 'dist', 'src', 'lab', 'load.js');
  const [command = '', ...args] = [...lab.clientPrefix(), process.execPath, program, ...urls];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const ended = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), ended]);
  return {
    async stop() {
      child.kill('SIGTERM'); // `ip netns exec` becomes the program, so the signal reaches it
      await ended;
      return JSON.parse(printed.split('\n')[1] ?? '');
    },
  };
}
