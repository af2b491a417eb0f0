import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { packageRoot } from '../../src/model/paths.js';

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a REST body of any endpoint, looked into by tests
  body: any;
}

/** A `shoal daemon` in a process of its own, without an engine, and its API. */
export class DaemonProcess {
  #process: ChildProcess | undefined;
  #output = '';

  constructor(
    readonly directory: string,
    /** host:port of its cluster port. */
    readonly address: string,
    private readonly socketName = 'api.sock',
    private readonly nodeFlags: readonly string[] = [],
  ) {}

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get socket(): string {
    return join(this.directory, this.socketName);
  }

  /** What it logged since it was last started. */
  get output(): string {
    return this.#output;
  }

  /** Starts it; resolves once the API answers or the process has ended. */
  async start(): Promise<void> {
    const main = join(packageRoot(), 'dist/src/daemon/main.js');
    const options = {
      stateDirectory: join(this.directory, 'state'),
      apiHosts: [`unix://${this.socket}`],
      listenAddress: this.address,
      engineSocket: join(this.directory, 'no-engine.sock'),
      hostname: this.address,
    };
    const program = `import(${JSON.stringify(main)}).then((m) => m.runDaemon(${JSON.stringify(options)})).catch((e) => { console.error(e.message); process.exit(1); })`;
    const child = spawn(process.execPath, [...this.nodeFlags, '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    this.#output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
      });
    }
    while (child.exitCode === null && child.signalCode === null) {
      const up = await this.call('GET', '/_ping').catch(() => undefined);
      if (up !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Nobody reads its log any more. */
  stopReading(): void {
    this.#process?.stdout?.destroy();
    this.#process?.stderr?.destroy();
  }

  /** Ends it with a signal and waits until it is gone; resolves with its exit code (null: killed). */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    this.#process = undefined;
    return child.exitCode;
  }

  get exitCode(): number | null {
    return this.#process?.exitCode ?? null;
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
      const call = request({ socketPath: this.socket, method, path, headers, timeout: 30_000 }, (response) => {
        let got = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          got += chunk;
        });
        response.on('end', () => {
          let parsed: unknown = got;
          try {
            parsed = JSON.parse(got);
          } catch {
            // not every answer is JSON
          }
          resolve({ status: response.statusCode ?? 0, body: parsed });
        });
        response.on('error', reject);
      });
      call.on('timeout', () => call.destroy(new Error(`${method} ${path}: no answer`)));
      call.on('error', reject);
      call.end(text);
    });
  }

  /** As `call`, and throws when the answer is an error. */
  async ok(method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}
