import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type ErrorCode, messageOf, ShoalError } from '../../model/errors.js';
import { readSysctl, writeSysctl } from './sysctls.js';

/** The kernel's networking as this process sees it: the namespace it runs in, through the tools of the system. */
export interface KernelTools {
  /** What the command wrote to its standard output. Throws `unavailable` with what it wrote to standard error, `not-found` of a command that is not here. */
  run(
    command: 'ip' | 'bridge' | 'nft' | 'iptables' | 'conntrack',
    args: readonly string[],
    input?: string,
  ): Promise<string>;
  /** Sets `net/…` below /proc/sys unless it has that value or is of an IPv6 that the kernel has not. Throws `unavailable`. */
  setSysctl(path: string, value: string): Promise<void>;
  /** What it is set to; undefined where the kernel has no such thing. */
  sysctl(path: string): string | undefined;
  hasDevice(name: string): boolean;
}

/** The result; undefined where the command is not here. Rejects otherwise as `result` does. */
export async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'not-found') return undefined;
    throw error;
  }
}

const answer_ms_max = 20_000;
const output_bytes_max = 256 * 1024 * 1024;

export const systemTools: KernelTools = {
  run: (command, args, input) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: answer_ms_max });
      const out: Buffer[] = [];
      let size = 0;
      let complaint = '';
      const fail = (reason: string, code: ErrorCode = 'unavailable') =>
        reject(new ShoalError(code, `${command} ${args.join(' ')}: ${reason.trim().slice(0, 1000)}`));
      child.stdout.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= output_bytes_max) out.push(chunk);
        else child.kill();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        if (complaint.length < 2000) complaint += chunk.toString('utf8');
      });
      child.on('error', (error: NodeJS.ErrnoException) =>
        fail(messageOf(error), error.code === 'ENOENT' ? 'not-found' : 'unavailable'),
      );
      child.on('close', (code, signal) => {
        if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
        else fail(complaint || `it ended with ${signal ?? code}`);
      });
      child.stdin.on('error', () => {}); // it ended before it had read all; its complaint says why
      child.stdin.end(input ?? '');
    }),

  setSysctl: (path, value) => writeSysctl('/proc/sys', path, value),

  sysctl: (path) => readSysctl('/proc/sys', path),

  hasDevice: (name) => existsSync(`/sys/class/net/${name}`),
};
