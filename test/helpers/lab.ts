import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { shoalCommand } from '../../src/lab/daemon-command.js';
import type { Host } from '../../src/lab/host.js';
import { Lab, type LabOptions } from '../../src/lab/lab.js';
import { tryRun } from '../../src/lab/run.js';

let labs = 0;

/**
 * A lab of its own for the tests of a `describe`: up before the first, gone after the last, pass or fail. With daemons unless
 * `daemonFlags` is undefined.
 */
export function labForTests(
  hosts: number,
  options: Partial<Pick<LabOptions, 'daemonFlags' | 'engineFlags'>> = {},
): () => Lab {
  let lab: Lab | undefined;
  before(async function () {
    this.timeout(180_000);
    labs += 1;
    // a name that no other test process has: base 36 of our process id, then a count
    const name = `t${process.pid.toString(36)}${labs.toString(36)}`;
    lab = await Lab.up({ name, hosts, sharedEngine: undefined, engineFlags: [], daemonFlags: [], ...options });
  });
  after(async function () {
    this.timeout(120_000);
    await lab?.down();
  });
  return () => {
    if (lab === undefined) throw new Error('the lab is not up before the first test');
    return lab;
  };
}

/** The real `shoal` command against a host's daemon. */
export function shoal(host: Host, ...args: string[]) {
  const [program, ...rest] = shoalCommand('-H', `unix://${host.apiSocket}`, ...args) as [string, ...string[]];
  return tryRun(program, rest);
}

/** The real `docker` client, against the host's own engine or, with `cluster`, its Shoal daemon. */
export function docker(host: Host, at: 'engine' | 'cluster', ...args: string[]) {
  return tryRun('docker', ['-H', `unix://${at === 'engine' ? host.engineSocket : host.apiSocket}`, ...args]);
}

/** One request to a daemon's API. */
export function api<T = unknown>(
  host: Host,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T }> {
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: host.apiSocket, method, path, headers: { 'content-type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          const parsed = text === '' ? undefined : JSON.parse(text);
          resolve({ status: response.statusCode ?? 0, body: parsed as T });
        });
      },
    );
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Makes the hosts one cluster: the first `managers` of them managers, the others workers. */
export async function formCluster(lab: Lab, managers: number): Promise<void> {
  const [first, ...others] = lab.hosts as [Host, ...Host[]];
  const must = async (host: Host, ...args: string[]) => {
    const output = await shoal(host, ...args);
    if (output.code !== 0) throw new Error(`${host.name}: shoal ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  await must(first, 'swarm', 'init');
  for (const host of others) {
    const token = await must(first, 'swarm', 'join-token', '-q', host.index <= managers ? 'manager' : 'worker');
    await must(host, 'swarm', 'join', '--token', token, `${first.address}:2377`);
  }
}

/** GET http://address:port/ from the client beside the cluster; undefined when nothing answered. */
export async function get(lab: Lab, address: string, port: number): Promise<string | undefined> {
  const [program = '', ...args] = lab.askCommand(`http://${address}:${port}/`, 1);
  const output = await tryRun(program, args);
  return output.code === 0 ? output.stdout.trim() : undefined;
}

/**
 * Waits until `look` is content: it returns undefined then, else what is still wrong, which the error carries when time runs out. The
 * limit is below mocha's, which would not say what is wrong.
 */
export async function eventually(
  look: () => Promise<string | undefined>,
  limit_ms = 50_000,
  pause_ms = 50,
): Promise<void> {
  const end = performance.now() + limit_ms;
  let before = '';
  for (;;) {
    const wrong = await answered(look, end - performance.now());
    if (wrong === undefined) return;
    if (performance.now() > end) throw new Error(`still after ${limit_ms} ms: ${wrong}${before}`);
    before = `; the look before: ${wrong}`;
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
  }
}

async function answered(look: () => Promise<string | undefined>, limit_ms: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('a look gets no answer'), Math.max(0, limit_ms));
  });
  try {
    return await Promise.race([look().catch((error: Error) => error.message), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program in the background as the client beside the cluster; `stop` ends it and gives what it printed. */
export function startClient(lab: Lab, command: readonly string[]): { stop(by?: 'SIGINT'): Promise<string> } {
  const [program = '', ...args] = [...lab.clientPrefix(), ...command];
  let finished: (text: string) => void;
  const output = new Promise<string>((resolve) => {
    finished = resolve;
  });
  const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (_error, stdout, stderr) =>
    finished(stdout + stderr),
  );
  return {
    stop(by) {
      child.kill(by ?? 'SIGTERM');
      return output;
    },
  };
}
