import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { ShoalError } from '../../src/model/errors.js';
import type { KernelTools } from '../../src/network/kernel/tools.js';

const end = /\n\x01(\d+)\x01$/;
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * A network namespace, with one shell in it that runs all commands: where a process of node's takes a tenth of a second to have a child (user mode
 * Linux), one of the shell's takes a hundredth.
 */
export class Namespace {
  private readonly shell: ChildProcess;
  /** As they were set. */
  private readonly settings = new Map<string, string>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(readonly name: string) {
    this.shell = spawn('ip', ['netns', 'exec', name, 'sh'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.shell.stdout!.setEncoding('utf8');
  }

  /** What the command wrote. Throws `unavailable` with its complaint. */
  run(command: string, args: readonly string[], input = ''): Promise<string> {
    const result = this.turn.then(() => this.runNow([command, ...args].map(quoted).join(' '), input));
    this.turn = result.catch(() => {});
    return result;
  }

  /** Lines for `ip`. */
  ip(...lines: string[]): Promise<string> {
    return this.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }

  close(): void {
    this.shell.kill();
  }

  private runNow(command: string, input: string): Promise<string> {
    const complaint = `/run/complaint-${this.name}`;
    return new Promise((resolve, reject) => {
      let out = '';
      const hear = (chunk: string) => {
        out += chunk;
        const code = end.exec(out)?.[1];
        if (code === undefined) return;
        this.shell.stdout!.off('data', hear);
        if (code === '0') resolve(out.replace(end, ''));
        else reject(new ShoalError('unavailable', `${command}: ${readFileSync(complaint, 'utf8').trim()}`));
      };
      this.shell.stdout!.on('data', hear);
      this.shell.stdin!.write(`${command} 2>${complaint} <<'END OF INPUT'\n${input}\nEND OF INPUT\n`);
      this.shell.stdin!.write(`printf '\\n\\001%s\\001' $?\n`);
    });
  }

  /** The tools of it, for a kernel without nftables of IPv4: what those are asked for is done as far as they say. */
  get toolsWithoutRules(): KernelTools {
    return {
      run: (command, args, input) =>
        command === 'ip' || command === 'bridge' ? this.run(command, args, input) : Promise.resolve(''),
      setSysctl: async (path, value) => {
        if (this.settings.get(path) === value) return;
        this.settings.set(path, value);
        const script = 'path=/proc/sys/$0; [ ! -e "$path" ] || echo "$1" >"$path"';
        await this.run('sh', ['-c', script, path, value]);
      },
      sysctl: () => undefined,
      hasDevice: () => true, // it is removed only where it is
    };
  }
}
