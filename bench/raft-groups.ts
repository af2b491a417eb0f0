import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ticksPerSecond = 100; // of /proc/PID/stat; sysconf(_SC_CLK_TCK) is 100 on every Linux

/** Three nodes of one side, each a process of its own on loopback. */
export interface Group {
  readonly name: string;
  readonly processes: readonly ChildProcess[];
  /** Where clients reach each. */
  readonly ports: readonly number[];
  /** Which of them leads; undefined: none at the moment. */
  leader(): Promise<number | undefined>;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Ours; a snapshot is taken every so many entries. `nodeFlags` go to Node, `--cpu-prof` say. */
export async function startShoal(
  directory: string,
  snapshotEvery: number,
  nodeFlags: readonly string[],
): Promise<Group> {
  const ports = await freePorts(6);
  const kvPorts = ports.slice(0, 3);
  const leads = [false, false, false];
  const processes = kvPorts.map((port, place) => {
    const program = fileURLToPath(new URL('raft-node.js', import.meta.url));
    const raftPorts = ports.slice(3).join();
    const args = [String(place + 1), join(directory, `shoal-${place}`), String(port), raftPorts, String(snapshotEvery)];
    const child = fork(program, args, { execArgv: [...nodeFlags], cwd: directory });
    child.on('message', (told: { leads: boolean }) => {
      leads[place] = told.leads;
    });
    child.on('exit', () => {
      leads[place] = false;
    });
    return child;
  });
  const leader = async () => (leads.includes(true) ? leads.indexOf(true) : undefined);
  return { name: 'Shoal', processes, ports: kvPorts, leader };
}

/** etcd as Debian packages it, with its defaults but for how often it takes a snapshot, in entries. */
export async function startEtcd(directory: string, snapshotEvery: number): Promise<Group> {
  const ports = await freePorts(6);
  const clientPorts = ports.slice(0, 3);
  const peers = ports.slice(3).map((port, place) => `n${place}=http://127.0.0.1:${port}`);
  const processes = clientPorts.map((port, place) => {
    const peer = `http://127.0.0.1:${ports[3 + place]}`;
    const client = `http://127.0.0.1:${port}`;
    const flags = {
      name: `n${place}`,
      'data-dir': join(directory, `etcd-${place}`),
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'initial-cluster': peers.join(),
      'log-level': 'panic',
      'snapshot-count': String(snapshotEvery),
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    return spawn('etcd', args, { stdio: 'ignore' });
  });
  const leader = async () => {
    const statuses = await Promise.all(clientPorts.map((port) => etcdStatus(port)));
    const place = statuses.findIndex((status) => status !== undefined && status.leader === status.header.member_id);
    return place === -1 ? undefined : place;
  };
  return { name: 'etcd', processes, ports: clientPorts, leader };
}

async function etcdStatus(port: number): Promise<{ leader?: string; header: { member_id: string } } | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    return (await answer.json()) as { leader?: string; header: { member_id: string } };
  } catch {
    return undefined;
  }
}

/** Processor time that the group's processes have taken, in seconds; user and system. */
export function cpuSeconds({ processes }: { processes: readonly { pid?: number | undefined }[] }): number {
  let ticks = 0;
  for (const { pid } of processes) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / ticksPerSecond;
}

/** Resolves when the group has a leader. */
export async function leaderOf(group: Group): Promise<number> {
  for (;;) {
    const place = await group.leader();
    if (place !== undefined) return place;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function stop({ processes }: Group): Promise<void> {
  for (const child of processes) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** What `etcd --version` says first. Throws when it is not installed. */
export async function etcdVersion(): Promise<string> {
  try {
    return (await run('etcd', ['--version'])).stdout.split('\n')[0] ?? '';
  } catch (error) {
    throw new Error('etcd is not here: apt-get install etcd-server', { cause: error });
  }
}
