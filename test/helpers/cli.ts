import { readFile } from 'node:fs/promises';
import { PassThrough, Readable, Writable } from 'node:stream';
import { createClient } from '../../src/cli/base/client.js';
import type { Context, Output } from '../../src/cli/base/context.js';
import { run } from '../../src/cli/program.js';
import type { FakeDaemon } from './fake-daemon.js';

/** When it is in tests. */
export const now_ms = Date.parse('2026-05-04T12:00:00Z');

export interface CliResult {
  code: number;
  out: string;
  err: string;
}

export interface CliWorld {
  env?: Record<string, string>;
  files?: Record<string, string>;
  /** A folder whose real files are there too. */
  folder?: string;
  input?: string;
  /** Columns of the terminal that standard output is; absent: it is none. */
  columns?: number;
  /** Called at every wait of the command, which then goes on at once, that much later by its clock. */
  onSleep?: (delay_ms: number) => void;
  /** Given a function that is Ctrl-C. */
  interrupt?: (press: () => void) => void;
}

class Sink extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs a command line in this process, against a fake daemon, in a world of its own. */
export async function cli(daemon: FakeDaemon, args: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  const out: Output & Sink = new Sink();
  const err = new Sink();
  if (world.columns !== undefined) Object.assign(out, { isTTY: true, columns: world.columns });
  let elapsed_ms = 0;
  const context = (host: string | undefined): Context => {
    const client = createClient(host ?? daemon.host);
    return {
      out,
      err,
      input: world.input === undefined ? new PassThrough().end() : Readable.from([Buffer.from(world.input)]),
      env: world.env ?? {},
      clock: { now: () => now_ms + elapsed_ms, monotonic: () => elapsed_ms, after: () => () => undefined },
      client,
      async readFile(path) {
        const content = world.files?.[path];
        if (content === undefined && world.folder !== undefined && path.startsWith(world.folder)) return readFile(path);
        if (content === undefined) throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
        return Buffer.from(content);
      },
      async sleep(delay_ms) {
        elapsed_ms += delay_ms;
        world.onSleep?.(delay_ms);
      },
      onInterrupt(call) {
        world.interrupt?.(call);
        return () => undefined;
      },
      close: () => client.close(),
    };
  };
  const code = await run(args, context);
  return { code, out: out.text, err: err.text };
}
