import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { messageOf, ShoalError } from '../../model/errors.js';
import { readSysctl, writeSysctl } from './sysctls.js';

/** The commands that are run, and what brings them. */
const packages = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  iptables: 'iptables',
  ip6tables: 'iptables',
  conntrack: 'conntrack',
};

/** The kernel's networking as this process sees it: the namespace it runs in, through the tools of the system. */
export interface KernelTools {
  /**
   * What the command wrote to its standard output, or the lines of it that `keep` wants: it is asked as they come, so that what is long costs
   * neither memory nor a standstill. Throws `unavailable` with what it wrote to standard error, `not-found` of a command that is not here.
   */
  run(
    command: keyof typeof packages,
    args: readonly string[],
    input?: string,
    keep?: (line: string) => boolean,
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

/** All that came. */
class Whole {
  private readonly chunks: Buffer[] = [];
  private size = 0;

  /** False if it is too much. */
  take(chunk: Buffer): boolean {
    this.size += chunk.length;
    if (this.size > output_bytes_max) return false;
    this.chunks.push(chunk);
    return true;
  }

  text(): string {
    return Buffer.concat(this.chunks).toString('utf8');
  }
}

/** The lines that are wanted. */
class Lines {
  private readonly decoder = new StringDecoder('utf8');
  private readonly lines: string[] = [];
  private rest = '';
  private size = 0;

  constructor(private readonly keep: (line: string) => boolean) {}

  /** False if it is too much. */
  take(chunk: Buffer): boolean {
    const lines = (this.rest + this.decoder.write(chunk)).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) this.end(line);
    return this.size + this.rest.length <= output_bytes_max;
  }

  text(): string {
    this.end(this.rest + this.decoder.end());
    this.rest = '';
    return this.lines.join('\n');
  }

  private end(line: string): void {
    if (line === '' || !this.keep(line)) return;
    this.lines.push(line);
    this.size += line.length;
  }
}

export const systemTools: KernelTools = {
  run: (command, args, input, keep) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: answer_ms_max });
      const out = keep === undefined ? new Whole() : new Lines(keep);
      let complaint = '';
      const fail = (reason: string) =>
        reject(new ShoalError('unavailable', `${command} ${args.join(' ')}: ${reason.trim().slice(0, 1000)}`));
      child.stdout.on('data', (chunk: Buffer) => {
        if (!out.take(chunk)) child.kill();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        if (complaint.length < 2000) complaint += chunk.toString('utf8');
      });
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') return fail(messageOf(error));
        const what = `the command ${command} is not on this node, or not in the daemon's PATH`;
        reject(new ShoalError('not-found', `${what} (Debian's package: ${packages[command]})`));
      });
      child.on('close', (code, signal) => {
        if (code === 0) resolve(out.text());
        else fail(complaint || `it ended with ${signal ?? code}`);
      });
      child.stdin.on('error', () => {}); // it ended before it had read all; its complaint says why
      child.stdin.end(input ?? '');
    }),

  setSysctl: (path, value) => writeSysctl('/proc/sys', path, value),

  sysctl: (path) => readSysctl('/proc/sys', path),

  hasDevice: (name) => existsSync(`/sys/class/net/${name}`),
};
