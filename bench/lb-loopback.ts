import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { median, printTable } from './figures.js';
import { balancerHead, gigabits, largeAnswer_bytes, requestsPerSecond, serverConfig } from './lb-parts.js';

const run_ = promisify(execFile);

/** Ports of the server, of HAProxy before it, of our plane before it: for small answers, and for large ones. */
const ports = {
  direct: { small: 7801, large: 7802 },
  HAProxy: { small: 7811, large: 7812 },
  'user-space plane': { small: 7821, large: 7822 },
};
type Path = keyof typeof ports;
const paths = Object.keys(ports) as Path[];

/**
 * What a hop through a balancer costs on loopback: throughput of large answers on kept connections, and new connections a second
 * (connect, request, answer, close). Every path in turn in each round, medians of the rounds, as ratios to HAProxy in TCP mode.
 * The server is HAProxy too: it answers from memory, so it takes little of the processors that all of them share.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '3' }, seconds: { type: 'string', default: '2' } },
  });
  await needed('haproxy', ['-v']);
  await needed('wrk', ['-v']);
  const folder = await mkdtemp(join(tmpdir(), 'shoal-bench-lb-'));
  const children: ChildProcess[] = [];
  try {
    await writeFile(join(folder, 'answer'), randomBytes(largeAnswer_bytes));
    const bind = { small: `127.0.0.1:${ports.direct.small}`, large: `127.0.0.1:${ports.direct.large}` };
    children.push(await haproxy(folder, 'server', serverConfig(folder, bind)));
    children.push(await haproxy(folder, 'balancer', balancerConfig));
    children.push(await plane());
    for (const path of paths) await Promise.all(Object.values(ports[path]).map(answering));

    const rates: Record<Path, number[]> = { direct: [], HAProxy: [], 'user-space plane': [] };
    const throughputs: Record<Path, number[]> = { direct: [], HAProxy: [], 'user-space plane': [] };
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const path of paths) {
        const rate = await wrk(ports[path].small, values.seconds, ['-c32', '-H', 'Connection: close']);
        const load = await wrk(ports[path].large, values.seconds, ['-c8']);
        rates[path].push(rate);
        throughputs[path].push(gigabits(load));
      }
    }
    const row = (path: Path) => {
      const [throughput, rate] = [median(throughputs[path]), median(rates[path])];
      const ratio = (value: number, base: number) => (value / base).toFixed(2);
      return [
        path,
        `${throughput.toFixed(1)} Gb/s`,
        ratio(throughput, median(throughputs.HAProxy)),
        `${Math.round(rate)}/s`,
        ratio(rate, median(rates.HAProxy)),
      ];
    };
    printTable(['', 'throughput', '÷ HAProxy', 'connections', '÷ HAProxy'], paths.map(row));
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  }
}

async function wrk(port: number, seconds: string, flags: readonly string[]): Promise<number> {
  const { stdout } = await run_('wrk', ['-t2', `-d${seconds}`, ...flags, `http://127.0.0.1:${port}/`]);
  return requestsPerSecond(stdout, `port ${port}`);
}

async function needed(program: string, args: readonly string[]): Promise<void> {
  await run_(program, args).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new Error(`this bench needs ${program}: apt-get install haproxy wrk`);
  });
}

async function haproxy(folder: string, name: string, config: string): Promise<ChildProcess> {
  const file = join(folder, `${name}.cfg`);
  await writeFile(file, config);
  return spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function plane(): Promise<ChildProcess> {
  const ways = (['small', 'large'] as const).map(
    (size) => `${ports['user-space plane'][size]}:127.0.0.1:${ports.direct[size]}`,
  );
  const child = fork(fileURLToPath(new URL('./lb-plane.js', import.meta.url)), ['127.0.0.1', ...ways]);
  await once(child, 'message');
  return child;
}

async function answering(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing answers at port ${port}`);
}

const balancerConfig = `${balancerHead}
listen small
  bind 127.0.0.1:${ports.HAProxy.small}
  server one 127.0.0.1:${ports.direct.small}
listen large
  bind 127.0.0.1:${ports.HAProxy.large}
  server one 127.0.0.1:${ports.direct.large}
`;
