import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLogger, transports } from 'winston';
import { systemClock } from '../src/model/clock.js';
import type { Route } from '../src/model/types.js';
import { KernelNetworks } from '../src/network/kernel/kernel-networks.js';
import { systemTools } from '../src/network/kernel/tools.js';
import { median, printTable } from './figures.js';
import { requestsPerSecond } from './lb-parts.js';

const [asked, served] = ['10.77.0.1', '10.77.0.2'];
const serve =
  "require('node:http').createServer((_, answer) => answer.end('small')).listen(80, process.argv[1], () => console.log('up'))";
const world = `ip link set lo up; ip addr add ${asked}/32 dev lo; ip addr add ${served}/32 dev lo; exec "$@"`;

/**
 * How long it takes until the endpoints of many published ports have changed in the kernel, and what that costs traffic: new
 * connections a second through one more port, without changes and while one follows the other. In a network namespace of its own.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { services: { type: 'string', default: '1000' }, rounds: { type: 'string', default: '5' } },
  });
  if (process.env.SHOAL_BENCH_INSIDE === undefined) {
    const main = fileURLToPath(new URL('./main.js', import.meta.url));
    const again = [process.execPath, main, 'lb-update', ...args];
    const env = { ...process.env, SHOAL_BENCH_INSIDE: '1' };
    const child = spawn('unshare', ['--net', 'sh', '-ec', world, 'sh', ...again], { stdio: 'inherit', env });
    const [code] = (await once(child, 'exit')) as [number];
    process.exitCode = code;
    return;
  }
  await measure(Number(values.services), Number(values.rounds));
}

async function measure(services: number, rounds: number): Promise<void> {
  const log = createLogger({ level: 'warn', transports: [new transports.Console()] });
  const kernel = new KernelNetworks({
    nodeID: 'n1',
    tools: systemTools,
    plane: { publishAddress: '', endsConnections: true },
    clock: systemClock,
    log,
  });
  const self = { ID: 'n1', Number: 1, Address: asked, DataPathPort: 4789, EncryptionEpoch: 0 };
  await kernel.apply({ peers: new Map([[self.ID, self]]), networks: new Map(), services: new Map() });
  // A process of its own: this one is busy with the changes.
  const server = spawn(process.execPath, ['-e', serve, served], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout!, 'data');
  const busy = route(8000, [served]);
  const others = (turn: number, changed: number) =>
    Array.from({ length: services }, (_, at) => {
      const last = at < changed ? `10.77.1.${turn % 200}` : '10.77.1.250';
      return route(10_000 + at, ['10.77.1.251', '10.77.1.252', last]);
    });
  const timed = async (routes: Route[]) => {
    const began = performance.now();
    await kernel.publish(routes);
    if (kernel.error !== '') throw new Error(kernel.error);
    return performance.now() - began;
  };
  const rows: string[][] = [];
  const made = await timed([busy, ...others(0, 0)]);
  rows.push([`made, ${services} services`, `${made.toFixed(0)} ms`]);
  let turn = 0;
  for (const changed of [1, 100, services].filter((count) => count <= services)) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      turn += 1;
      times.push(await timed([busy, ...others(turn, changed)]));
    }
    rows.push([`endpoints of ${changed} changed`, `${median(times).toFixed(0)} ms`]);
  }
  const alone = await load();
  rows.push(['connections, no changes', `${Math.round(alone.rate)}/s`]);
  for (const changed of [1, services]) {
    let isOver = false;
    let changes = 0;
    const result = load().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      turn += 1;
      changes += 1;
      await timed([busy, ...others(turn, changed)]);
    }
    const { rate } = await result;
    rows.push([
      `… while ${changed} change, ${changes} times`,
      `${Math.round(rate)}/s (${(rate / alone.rate).toFixed(2)})`,
    ]);
  }
  printTable(['', ''], rows);
  server.kill();
  await kernel.close();
}

function route(port: number, hosts: readonly string[]): Route {
  return {
    ID: `tcp/${port}`,
    ServiceID: 'bench',
    ServiceName: 'bench',
    Protocol: 'tcp',
    PublishedPort: port,
    TargetPort: 80,
    Endpoints: hosts.map((Inside) => ({ TaskID: Inside, NodeID: 'n1', Host: asked, Port: port, Inside })),
    Masquerade: false,
    Sticky: false,
    Opaque: false,
  };
}

/** New connections a second through the one port that does not change, for three seconds. Throws when one failed. */
async function load(): Promise<{ rate: number }> {
  const child: ChildProcess = spawn('wrk', ['-t1', '-c16', '-d3', '-H', 'Connection: close', `http://${asked}:8000/`]);
  let text = '';
  child.stdout?.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  await once(child, 'close');
  return { rate: requestsPerSecond(text, asked) };
}
