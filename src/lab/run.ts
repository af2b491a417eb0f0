import { execFile, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { constants } from 'node:os';
import { ShoalError } from '../model/errors.js';

const outputLimit_bytes = 64 * 1024 * 1024;

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. Throws only when it could not be started at all. */
export function tryRun(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; cwd?: string } = {},
) {
  return new Promise<Output>((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { maxBuffer: outputLimit_bytes, cwd: options.cwd, env: { ...process.env, ...options.env } },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code === 'string') {
          reject(new ShoalError('internal', `cannot run ${command}: ${error.message}`));
        } else {
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
        }
      },
    );
    child.stdin?.on('error', () => {}); // a program that reads nothing closes its end early
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program to its end and returns what it printed. Throws with its own words when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string } = {},
) {
  const output = await tryRun(command, args, options);
  if (output.code !== 0) {
    throw new ShoalError(
      'internal',
      `${command} ${args.join(' ')}: ${(output.stderr || output.stdout).trim() || `exit ${output.code}`}`,
    );
  }
  return output.stdout;
}

/** Runs a program on this process's own terminal; resolves with its exit code, as a shell counts it (128 and more: a signal). */
export function runShown(command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const [program = 'true', ...args] = command;
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Starts a program in a session of its own that outlives this process; its output goes to the end of `logFile`. Returns its process id. */
export function startDetached(command: string, args: readonly string[], logFile: string): number {
  const log = openSync(logFile, 'a');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log] });
  child.on('error', () => {}); // seen by the caller as a process that never gets ready
  child.unref();
  if (child.pid === undefined) throw new ShoalError('internal', `cannot start ${command}`);
  return child.pid;
}

/** Polls `probe` until it gives something; `undefined` after `limit_ms`. */
export async function waitFor<T>(
  probe: () => Promise<T | undefined> | T | undefined,
  limit_ms: number,
): Promise<T | undefined> {
  const end = performance.now() + limit_ms;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
