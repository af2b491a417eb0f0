import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Host } from '../src/lab/host.js';
import { Lab } from '../src/lab/lab.js';
import { tryRun } from '../src/lab/run.js';
import { docker, eventually, formCluster } from '../test/helpers/lab.js';
import { runningOf } from '../test/helpers/service.js';
import { median, printTable } from './figures.js';
import { balancerHead, requestsPerSecond, serverConfig } from './lb-parts.js';

/** What is fetched, by so many at once: far more than a connection's beginning costs. */
const large = { bytes: 64 * 1024 * 1024, clients: 8 };
/** Bytes that came in, and in how many nanoseconds: from when all are under way. */
const fetching = (where: string, seconds: string) => `
  for n in $(seq ${large.clients}); do curl -sf -o /dev/null 'http://${where}/large?[1-1000000]' & all="$all $!"; done
  came() { awk '$1 !~ /^lo:/ && NR > 2 { sum += $2 } END { printf "%.0f", sum }' /proc/net/dev; }
  sleep 0.3; began=$(date +%s%N); before=$(came)
  sleep ${seconds}; after=$(came); ended=$(date +%s%N)
  kill $all || exit 1
  echo $((after - before)) $((ended - began))`;
/** Ports of the server: one answers little, the other much. */
const target = { small: 7801, large: 7802 };
const kinds = ['small', 'large'] as const;
const hops = ['near', 'far'] as const;
type Kind = (typeof kinds)[number];
type Hop = (typeof hops)[number];
/** From a container on the first host. */
const inner = ['direct', 'virtual IP', 'forwarded, from a container', 'mesh, from a container'] as const;
/** From a machine beside the cluster; docker-proxy and Docker's own rules at the task's host, all else at the first. */
const outer = ['published by Docker', 'forwarded', 'mesh', 'user-space plane', 'HAProxy', 'docker-proxy'] as const;
const paths = [...inner, ...outer] as const;
type Path = (typeof paths)[number];
/** The way over the same hosts and devices that nobody balances: by rules of iptables for one address each, where it is not the task's own. */
const basis = (path: Path, hop: Hop): Path => {
  if (path === 'direct' || path === 'virtual IP') return 'direct';
  if (inner.some((one) => one === path)) return 'forwarded, from a container';
  return hop === 'near' || path === 'published by Docker' || path === 'docker-proxy'
    ? 'published by Docker'
    : 'forwarded';
};
/** From outside what is near is forwarded by Docker. */
const isThere = (path: Path, hop: Hop) => path !== 'forwarded' || hop === 'far';

/** Of all processors together, whoever used them: what a connection costs says more than how many there were, where nothing else runs. */
function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = /^cpu +(.*)$/m
    .exec(readFileSync('/proc/stat', 'utf8'))![1]!
    .split(' ')
    .map(Number);
  return (user + nice + system + irq + softirq) / 100; // clock ticks: proc(5)
}

/** Whoever ends a connection first does not remember its ports for a minute. */
const noTimeWait = 'echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets';

/** Rules that lead a port to one place, as an administrator would write them; clients of `hidden` are hidden behind the host, else answers would pass it by. */
const forwarding = (asked: { address: string; port: number }, to: string, hidden: string) => {
  const [host, port] = to.split(':');
  return `
    iptables -w -t nat -A PREROUTING -p tcp -d ${asked.address} --dport ${asked.port} -j DNAT --to-destination ${to}
    iptables -w -t nat -A POSTROUTING -p tcp -s ${hidden} -d ${host} --dport ${port} -m conntrack --ctstate DNAT -j MASQUERADE
    iptables -w -I DOCKER-USER -p tcp -d ${host} --dport ${port} -j ACCEPT
    iptables -w -I DOCKER-USER -p tcp -s ${host} --sport ${port} -j ACCEPT`;
};

/** Where a path is asked for: its own address, and a port for what is asked. */
type Ways = Record<Path, Record<Hop, Record<Kind, string>>>;

/**
 * What each way to a task costs: throughput of files, and new connections a second (connect, request, answer, close). Two hosts with an
 * engine each; the client is a container on the first, or a machine beside them that asks the first; the task is on the first (near) or
 * the other (far). Everything in turn in each round, medians of the rounds, as ratios to the way there that is nobody's balancer, and to
 * HAProxy. Server and client are as lean as can be had, else they would be what is measured.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: 'string', default: '6' }, seconds: { type: 'string', default: '1' } },
  });
  const folder = await mkdtemp(join(tmpdir(), 'shoal-bench-lb-'));
  const daemonFlags = ['--data-plane', 'kernel'];
  const lab = await Lab.up({ name: 'lbench', hosts: 2, sharedEngine: undefined, engineFlags: [], daemonFlags });
  try {
    await mkdir(join(folder, 'files'));
    await writeFile(join(folder, 'files', 'large'), randomBytes(large.bytes));
    await writeFile(join(folder, 'server.cfg'), serverConfig(folder, { small: `:${target.small}` }));
    const { ways, ask, fetch, forget } = await build(lab, folder);
    const figures = new Map<string, number[]>();
    const add = (key: string, value: number) => figures.set(key, [...(figures.get(key) ?? []), value]);
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const path of round % 2 === 0 ? paths : paths.toReversed()) {
        for (const hop of hops.filter((one) => isThere(path, one))) {
          const { small, large } = ways[path][hop];
          await forget();
          const before_s = busySeconds();
          const rate = await ask(path, small, values.seconds);
          add(`${path} ${hop} rate`, rate);
          add(`${path} ${hop} cost`, ((busySeconds() - before_s) * 1e6) / (rate * Number(values.seconds)));
          add(`${path} ${hop} load`, await fetch(path, large, values.seconds));
        }
      }
    }
    const figure = (path: Path, hop: Hop, what: 'rate' | 'load' | 'cost') =>
      median(figures.get(`${path} ${hop} ${what}`) ?? []);
    const rows = hops.flatMap((hop) =>
      paths
        .filter((path) => isThere(path, hop))
        .map((path) => {
          const [load, rate] = [figure(path, hop, 'load'), figure(path, hop, 'rate')];
          const ratio = (value: number, to: Path, what: 'rate' | 'load') => (value / figure(to, hop, what)).toFixed(2);
          return [
            `${path}, ${hop}`,
            `${load.toFixed(1)} Gb/s`,
            ratio(load, basis(path, hop), 'load'),
            ratio(load, 'HAProxy', 'load'),
            `${Math.round(rate)}/s`,
            ratio(rate, basis(path, hop), 'rate'),
            ratio(rate, 'HAProxy', 'rate'),
            `${Math.round(figure(path, hop, 'cost'))} µs`,
          ];
        }),
    );
    printTable(
      ['', 'throughput', '÷ same hop', '÷ HAProxy', 'connections', '÷ same hop', '÷ HAProxy', 'processor each'],
      rows,
    );
  } finally {
    await lab.down();
    await rm(folder, { recursive: true });
  }
}

/** The cluster, a task at each distance, and everything that stands before them. */
async function build(lab: Lab, folder: string) {
  const [first, second] = lab.hosts as [Host, Host];
  const must = async (on: Host, at: 'engine' | 'cluster', ...words: string[]) => {
    const output = await docker(on, at, ...words);
    if (output.code !== 0) throw new Error(`docker ${words.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const shell = async (on: Host, command: string) => {
    const { code, stdout, stderr } = await on.exec(['sh', '-c', command]);
    if (code !== 0) throw new Error(`${command}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  const placed = { near: first, far: second };
  await formCluster(lab, 1);
  await eventually(async () => {
    const ready = (await must(first, 'cluster', 'node', 'ls', '-q')).split('\n').length;
    return ready === 2 ? undefined : `${ready} of 2 nodes`;
  });
  await must(first, 'cluster', 'network', 'create', '-d', 'overlay', 'blue');
  const service = (name: string, on: Host, ...words: string[]) => {
    const place = ['--network', 'blue', '--constraint', `node.hostname==${on.name}`];
    return must(first, 'cluster', 'service', 'create', '-d', '--name', name, ...place, ...words);
  };
  const servers = `haproxy -D -f ${join(folder, 'server.cfg')}; exec busybox httpd -f -p ${target.large} -h ${join(folder, 'files')}`;
  const program = ['chroot', '/host', 'sh', '-c', servers];
  const mount = ['--mount', 'type=bind,source=/,target=/host,readonly', 'shoal/web:1'];
  await service('near', first, '-p', '7811:7801', '-p', '7812:7802', ...mount, ...program);
  await service('far', second, '-p', '7821:7801', '-p', '7822:7802', ...mount, ...program);
  await service('client', first, 'shoal/web:1');
  const task = async (name: string) => {
    await eventually(async () => ((await runningOf(first, name)).length === 1 ? undefined : `${name} does not run`));
    return (await runningOf(first, name))[0]!;
  };

  const ways = Object.fromEntries(paths.map((path) => [path, { near: {}, far: {} }])) as Ways;
  const balanced: string[] = [];
  const led: string[] = [];
  for (const hop of hops) {
    const on = placed[hop];
    const { NetworksAttachments, Status } = await task(hop);
    const own = NetworksAttachments![0]!.Addresses[0]!.replace(/\/.*/, '');
    const format = '{{(index .Endpoint.VirtualIPs 0).Addr}}';
    const virtual = (await must(first, 'cluster', 'service', 'inspect', '-f', format, hop)).replace(/\/.*/, '');
    for (const [at, kind] of kinds.entries()) {
      const number = (hop === 'near' ? 0 : 10) + at;
      ways.direct[hop][kind] = `${own}:${target[kind]}`;
      ways['virtual IP'][hop][kind] = `${virtual}:${target[kind]}`;
      ways.mesh[hop][kind] = `${first.address}:${7811 + number}`;
      ways['mesh, from a container'][hop][kind] = ways.mesh[hop][kind];
      ways['user-space plane'][hop][kind] = `${first.address}:${7831 + number}`;
      ways.HAProxy[hop][kind] = `${first.address}:${7851 + number}`;
      ways['docker-proxy'][hop][kind] = `${on.address}:${7871 + number}`;
      const bound = await must(on, 'engine', 'port', Status.ContainerStatus!.ContainerID, `${target[kind]}/tcp`);
      ways['published by Docker'][hop][kind] = bound;
      const forwarded = { address: first.address, port: 7891 + number };
      ways.forwarded[hop][kind] = `${forwarded.address}:${forwarded.port}`;
      ways['forwarded, from a container'][hop][kind] = ways.forwarded[hop][kind];
      const place = hop === 'far' ? bound : `${own}:${target[kind]}`;
      await shell(first, forwarding(forwarded, place, hop === 'far' ? '0.0.0.0/0' : '10.0.0.0/8'));
      led.push(`${7831 + number}:${bound}`);
      balanced.push(`listen l${number}\n  bind ${first.address}:${7851 + number}\n  server one ${bound}`);
      const from = `-host-ip ${on.address} -host-port ${7871 + number}`;
      const to = `-container-ip ${own} -container-port ${target[kind]}`;
      await shell(on, `setsid docker-proxy -proto tcp ${from} ${to} 3>/dev/null >/dev/null 2>&1 </dev/null &`);
    }
  }
  await writeFile(join(folder, 'balancer.cfg'), `${balancerHead}${balanced.join('\n')}\n`);
  await shell(first, `haproxy -D -f ${join(folder, 'balancer.cfg')}`);
  const plane = fileURLToPath(new URL('./lb-plane.js', import.meta.url));
  await shell(
    first,
    `setsid ${process.execPath} ${plane} ${first.address} ${led.join(' ')} >/dev/null 2>&1 </dev/null &`,
  );

  const container = (await task('client')).Status.ContainerStatus!.ContainerID;
  const pid = await must(first, 'engine', 'inspect', '-f', '{{.State.Pid}}', container);
  const client = (path: Path, ...command: string[]) => {
    if (inner.some((one) => one === path)) return first.exec(['nsenter', '-t', pid, '-n', ...command]);
    const [name = '', ...args] = [...lab.clientPrefix(), ...command];
    return tryRun(name, args);
  };
  /** Connections a second. Throws when any failed: a figure with failures in it says nothing. */
  const ask = async (path: Path, where: string, seconds: string) => {
    const flags = ['-t2', '-c32', `-d${seconds}`, '-H', 'Connection: close'];
    const { stdout, stderr } = await client(path, 'wrk', ...flags, `http://${where}/`);
    return requestsPerSecond(`${stdout}${stderr}`, where);
  };
  /** Gb/s: what comes in at the client, while it fetches without an end. Throws when a client failed meanwhile. */
  const fetch = async (path: Path, where: string, seconds: string) => {
    const { code, stdout, stderr } = await client(path, 'sh', '-c', fetching(where, seconds));
    if (code !== 0) throw new Error(`${path}, ${where}: ${stdout}${stderr}`);
    const [bytes = 0, nanoseconds = 1] = stdout.trim().split(' ').map(Number);
    return (bytes * 8) / nanoseconds;
  };
  /**
   * Nothing of the connections of the way before is left: they lead to the same server from the same ports, and new ones would be given other ports one
   * by one, or be taken for old ones by a server that remembers them; whoever comes first would be the fastest.
   */
  const forget = async () => {
    for (const host of lab.hosts) await shell(host, 'conntrack -F 2>/dev/null');
  };
  for (const host of lab.hosts) await shell(host, noTimeWait);
  for (const hop of hops) {
    const { ContainerID } = (await task(hop)).Status.ContainerStatus!;
    const pid = await must(placed[hop], 'engine', 'inspect', '-f', '{{.State.Pid}}', ContainerID);
    await shell(placed[hop], `nsenter -t ${pid} -n sh -c '${noTimeWait}'`);
  }
  for (const path of paths) {
    for (const hop of hops.filter((one) => isThere(path, one))) {
      const where = ways[path][hop].small;
      await eventually(async () => {
        const { stdout } = await client(path, 'curl', '-s', '--max-time', '2', `http://${where}/`);
        return stdout === 'small' ? undefined : `${path} ${hop}: ${where}`;
      });
    }
  }
  return { ways, ask, fetch, forget };
}
