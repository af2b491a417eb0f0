import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import packet from 'dns-packet';
import { createLogger, transports } from 'winston';
import { systemClock } from '../src/model/clock.js';
import { complete } from '../src/model/codec.js';
import { systemRandom } from '../src/model/random.js';
import { Forwarder } from '../src/network/dns/forwarder.js';
import { Resolver } from '../src/network/dns/resolver.js';
import type { NetworkItems } from '../src/network/network-table.js';
import { median, printTable } from './figures.js';

const run_ = promisify(execFile);
const main = fileURLToPath(new URL('./main.js', import.meta.url));

const [outside, ours, theirs, client] = ['127.0.0.1', '127.9.0.1', '127.9.0.2', '127.9.0.3'];
const tasksOfService = 10;

/**
 * Questions a second that the names of a network are answered at, beside dnsmasq (Debian's package) with the same names as a hosts file; and
 * how soon after the state has changed a name means something else. dnsperf asks, in a network namespace of its own.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      services: { type: 'string', default: '1000' },
      seconds: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '3' },
    },
  });
  const services = Number(values.services);
  if (process.env.SHOAL_BENCH_INSIDE === undefined) {
    const again = [process.execPath, main, 'dns', ...args];
    const env = { ...process.env, SHOAL_BENCH_INSIDE: 'asks' };
    const child = spawn('unshare', ['--net', 'sh', '-ec', 'ip link set lo up; exec "$@"', 'sh', ...again], {
      stdio: 'inherit',
      env,
    });
    const [code] = (await once(child, 'exit')) as [number];
    process.exitCode = code;
    return;
  }
  if (process.env.SHOAL_BENCH_INSIDE === 'answers') return serve(services);
  await measure(services, Number(values.seconds), Number(values.rounds));
}

async function measure(services: number, seconds: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'shoal-dns-'));
  const children: ChildProcess[] = [];
  const start = (command: string, ...args: string[]) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, SHOAL_BENCH_INSIDE: 'answers' },
    });
    children.push(child);
    return child;
  };
  const dnsmasq = (address: string, ...args: string[]) =>
    start(
      'dnsmasq',
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file', '--user=root'],
      ...[
        '--bind-interfaces',
        '--cache-size=0',
        '--local=//',
        '--dns-forward-max=2000',
        `--listen-address=${address}`,
        ...args,
      ],
    );
  try {
    const kinds = await writeQuestions(folder, services);
    const hosts = join(folder, 'hosts');
    await writeFile(hosts, hostsFile(services));
    const outer = join(folder, 'outer');
    await writeFile(outer, Array.from({ length: services }, (_, at) => `192.0.2.1 host${at}.example`).join('\n'));
    dnsmasq(outside, `--addn-hosts=${outer}`);
    dnsmasq(theirs, `--addn-hosts=${hosts}`, `--server=${outside}`);
    const [first] = (await once(start(process.execPath, main, 'dns', '--services', `${services}`).stdout!, 'data')) as [
      Buffer,
    ];
    const changes_ms = Number(first.toString());

    const rates = new Map<string, number[]>();
    const late = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const kind of kinds.keys()) {
        for (const server of round % 2 === 0 ? [ours, theirs] : [theirs, ours]) {
          const { rate, latency_ms } = await asked(server, kinds.get(kind)!, seconds);
          const key = `${kind} ${server}`;
          rates.set(key, [...(rates.get(key) ?? []), rate]);
          late.set(key, [...(late.get(key) ?? []), latency_ms]);
        }
      }
    }
    const of = (from: Map<string, number[]>, kind: string, server: string) => median(from.get(`${kind} ${server}`)!);
    printTable(
      ['questions a second', 'Shoal', 'dnsmasq', 'ratio', 'Shoal, mean wait', 'dnsmasq, mean wait'],
      [...kinds.keys()].map((kind) => [
        kind,
        of(rates, kind, ours).toFixed(0),
        of(rates, kind, theirs).toFixed(0),
        (of(rates, kind, ours) / of(rates, kind, theirs)).toFixed(2),
        `${of(late, kind, ours).toFixed(2)} ms`,
        `${of(late, kind, theirs).toFixed(2)} ms`,
      ]),
    );
    console.log(
      `a changed service is answered for ${changes_ms.toFixed(1)} ms after the state has come (median of 20)`,
    );
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }
}

/** Files for dnsperf, by what is asked for. */
async function writeQuestions(folder: string, services: number): Promise<Map<string, string>> {
  const all = Array.from({ length: services }, (_, at) => at);
  const kinds: Record<string, string[]> = {
    'a service (A)': all.map((at) => `web${at} A`),
    'a service (AAAA)': all.map((at) => `web${at} AAAA`),
    'its 10 tasks (A)': all.map((at) => `tasks.web${at} A`),
    'an address (PTR)': all.map((at) => `${reversed(virtualOf(at))}.in-addr.arpa PTR`),
    'a name outside (A)': all.map((at) => `host${at}.example A`),
  };
  const files = new Map<string, string>();
  for (const [kind, lines] of Object.entries(kinds)) {
    const file = join(folder, `${files.size}`);
    await writeFile(file, lines.join('\n'));
    files.set(kind, file);
  }
  return files;
}

async function asked(
  server: string,
  questions: string,
  seconds: number,
): Promise<{ rate: number; latency_ms: number }> {
  const args = ['-s', server, '-a', client, '-d', questions, '-l', `${seconds}`, '-c', '20', '-q', '100', '-t', '2'];
  const { stdout } = await run_('dnsperf', args);
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const rate = number(/Queries per second:\s+([\d.]+)/);
  const codes = /Response codes:\s+(.*)/.exec(stdout)?.[1] ?? '';
  // A figure with failures in it says nothing.
  if (!(rate > 0) || number(/Queries lost:\s+(\d+)/) > 0 || !/^NOERROR \d+ \(100.00%\)$/.test(codes.trim())) {
    throw new Error(`${server}:\n${stdout}`);
  }
  return { rate, latency_ms: number(/Average Latency \(s\):\s+([\d.]+)/) * 1000 };
}

/** The answering side: our resolver. Prints first how many milliseconds a change takes. */
async function serve(services: number): Promise<void> {
  const forwarder = new Forwarder({ nameservers: async () => [outside], clock: systemClock, random: systemRandom });
  const log = createLogger({
    level: 'warn',
    transports: [new transports.Console({ stderrLevels: ['warn', 'error'] })],
  });
  const resolver = new Resolver({ forwarder, clock: systemClock, log });
  const base = itemsOf(services);
  await resolver.serve([...base.networks.values()]);
  resolver.know(base);
  const took_ms: number[] = [];
  for (let turn = 1; turn <= 20; turn++) {
    const last = `net/web${services - 1}`;
    const changed = { ...base.services.get(last)!, VirtualIP: `127.11.0.${turn}` };
    const items = { ...base, services: new Map(base.services).set(last, changed) };
    const began_ms = performance.now();
    resolver.know(items);
    const answer = packet.decode(await question(`web${services - 1}`)).answers?.[0];
    took_ms.push(performance.now() - began_ms);
    if (answer?.type !== 'A' || answer.data !== `127.11.0.${turn}`) throw new Error('the name means what it did');
  }
  resolver.know(base);
  process.stdout.write(`${median(took_ms)}\n`);
}

async function question(name: string): Promise<Buffer> {
  const { createSocket } = await import('node:dgram');
  const socket = createSocket('udp4');
  socket.send(packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name }] }), 53, ours);
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  return answer;
}

const virtualOf = (at: number) => `127.10.${at >> 8}.${at & 255}`;
const addressOf = (at: number, task: number) => `127.${20 + task}.${at >> 8}.${at & 255}`;
const reversed = (address: string) => address.split('.').reverse().join('.');

function itemsOf(services: number): NetworkItems {
  const network = complete('Network', {
    ID: 'net',
    Number: 1,
    Spec: { Name: 'net' },
    IPAMOptions: { Configs: [{ Subnet: '127.0.0.0/8', Gateway: ours }] },
  });
  const items = Array.from({ length: services }, (_, at) => ({
    ID: `net/web${at}`,
    NetworkID: 'net',
    ServiceID: `web${at}`,
    ServiceName: `web${at}`,
    VirtualIP: virtualOf(at),
    VirtualIP6: '',
    Sticky: false,
    Opaque: false,
    Endpoints: Array.from({ length: tasksOfService }, (_, task) => ({
      TaskID: `t${at}.${task}`,
      NodeID: 'n',
      Address: addressOf(at, task),
      Address6: '',
      Serving: true,
      Hostname: '',
      Aliases: [],
      Nameservers: [],
      Name: `web${at}.${task}.t${at}.${task}`,
      ContainerID: `${at}.${task}.0000000000`,
    })),
  }));
  return {
    peers: new Map(),
    networks: new Map([['net', network]]),
    services: new Map(items.map((one) => [one.ID, one])),
  };
}

function hostsFile(services: number): string {
  return Array.from({ length: services }, (_, at) =>
    [
      `${virtualOf(at)} web${at}`,
      ...Array.from({ length: tasksOfService }, (_, task) => `${addressOf(at, task)} tasks.web${at}`),
    ].join('\n'),
  ).join('\n');
}
