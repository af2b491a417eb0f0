import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import type { Host } from '../src/lab/host.js';
import { Lab } from '../src/lab/lab.js';
import { eventually } from '../test/helpers/lab.js';
import { median, printTable } from './figures.js';

/** One side: an API behind a unix socket, on kept connections. */
interface Side {
  socketPath: string;
  agent: Agent;
}

const parallel = 8;
const nowhere = { Constraints: ['node.labels.nowhere==yes'] };

/**
 * Calls of the API against the engine that Docker's own would be: what passes through against the bare engine, and lists of a large
 * cluster against Docker's Swarm mode on an engine of its own. The tasks wait for a node that does not exist, so both sides hold them and
 * run none.
 */
export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      services: { type: 'string', default: '1000' },
      replicas: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '3' },
    },
  });
  const [services, replicas, seconds] = [values.services, values.replicas, values.seconds].map(Number) as [
    number,
    number,
    number,
  ];
  const lab = await Lab.up({ name: 'bapi', hosts: 2, sharedEngine: undefined, engineFlags: [], daemonFlags: [] });
  try {
    const [own, other] = lab.hosts as [Host, Host];
    const shoal = sideOf(own.apiSocket);
    await ask(shoal, 'POST', '/swarm/init', { ListenAddr: `${own.address}:2377`, AdvertiseAddr: own.address });
    const engine = sideOf(own.engineSocket);
    const swarm = sideOf(other.engineSocket);
    await ask(swarm, 'POST', '/swarm/init', { ListenAddr: `${other.address}:2399`, AdvertiseAddr: other.address });
    const container = JSON.parse(await ask(engine, 'POST', '/containers/create', { Image: 'shoal/web:1' }))
      .Id as string;

    const rows: string[][] = [];
    const compare = async (name: string, path: string, to: Side) => {
      const limit = await measured(to, path, seconds);
      const ours = await measured(shoal, path, seconds);
      const shown = ({ p50_ms, rate }: Figures) => [`${p50_ms.toFixed(2)} ms`, rate.toFixed(0)];
      rows.push([name, ...shown(limit), ...shown(ours), (ours.p50_ms / limit.p50_ms).toFixed(2)]);
    };
    await compare('ping', '/_ping', engine);
    await compare('container inspect', `/v1.41/containers/${container}/json`, engine);
    for (const side of [shoal, swarm]) {
      const spec = { TaskTemplate: { ContainerSpec: { Image: 'shoal/web:1', Env: ['A=b'] }, Placement: nowhere } };
      for (let at = 0; at < services; at++) {
        await ask(side, 'POST', '/services/create', {
          Name: `s${at}`,
          ...spec,
          Mode: { Replicated: { Replicas: replicas } },
        });
      }
      await eventually(async () => {
        const count = (JSON.parse(await ask(side, 'GET', '/tasks')) as unknown[]).length;
        return count === services * replicas ? undefined : `${count} tasks`;
      }, 120_000);
    }
    const one = encodeURIComponent('{"service":["s7"]}');
    await compare(`services (${services})`, '/v1.41/services', swarm);
    await compare('services with their status', '/v1.41/services?status=true', swarm);
    await compare(`tasks (${services * replicas})`, '/v1.41/tasks', swarm);
    await compare('tasks of one service', `/v1.41/tasks?filters=${one}`, swarm);
    await compare('one service', '/v1.41/services/s7', swarm);
    printTable(['', "Docker's p50", '/s', 'Shoal p50', '/s', 'p50 ratio'], rows);
  } finally {
    await lab.down();
  }
}

function sideOf(socketPath: string): Side {
  return { socketPath, agent: new Agent({ keepAlive: true }) };
}

interface Figures {
  /** Of one call after the other. */
  p50_ms: number;
  /** Calls a second of eight clients at once. */
  rate: number;
}

async function measured(side: Side, path: string, seconds: number): Promise<Figures> {
  await ask(side, 'GET', path);
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const began = performance.now();
    await ask(side, 'GET', path);
    times.push(performance.now() - began);
  }
  let count = 0;
  const began = performance.now();
  const client = async () => {
    while (performance.now() < began + seconds * 1000) {
      await ask(side, 'GET', path);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  return { p50_ms: median(times), rate: count / ((performance.now() - began) / 1000) };
}

function ask({ socketPath, agent }: Side, method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request({ socketPath, agent, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((response.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
