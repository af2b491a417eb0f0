import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Host } from '../src/lab/host.js';
import { ask, sideOf } from './api-calls.js';
import { printTable } from './figures.js';

const settle_ms = 5_000;
const samples = 4;

/**
 * The daemon's memory while `count` clients follow logs and events of which there are more than they read: every one takes its first
 * bytes and then none. Half follow a container's log through to the engine, half a service's, which the daemon merges itself.
 */
export async function slowClients(host: Host, count: number): Promise<void> {
  const shoal = sideOf(host.apiSocket);
  const Args = ['-c', `while :; do yes ${'x'.repeat(99)} | head -c 1000000; sleep 1; done`];
  const TaskTemplate = { ContainerSpec: { Image: 'shoal/web:1', Command: ['sh'], Args } };
  await ask(shoal, 'POST', '/services/create', { Name: 'talk', TaskTemplate });
  let container = '';
  while (container === '') {
    const [task] = JSON.parse(await ask(shoal, 'GET', '/tasks')) as {
      Status: { State: string; ContainerStatus?: { ContainerID: string } };
    }[];
    if (task?.Status.State === 'running') container = task.Status.ContainerStatus?.ContainerID ?? '';
    await pause(100);
  }
  const rows: string[][] = [['none', '0', await megabytes(host)]];
  const clients: Socket[] = [];
  try {
    for (let at = 0; at < count; at++) {
      const path = at % 2 === 0 ? `/containers/${container}/logs` : '/services/talk/logs';
      clients.push(await slowClient(host.apiSocket, `${path}?stdout=1&follow=1`));
    }
    for (let sample = 1; sample <= samples; sample++) {
      await pause(settle_ms);
      rows.push([`${count}`, `${(sample * settle_ms) / 1000}`, await megabytes(host)]);
    }
  } finally {
    for (const client of clients) client.destroy();
  }
  await pause(settle_ms);
  rows.push(['none', `${((samples + 1) * settle_ms) / 1000}`, await megabytes(host)]);
  await ask(shoal, 'DELETE', '/services/talk');
  printTable(['slow clients', 'after s', 'daemon RSS MB'], rows);
}

async function slowClient(socketPath: string, path: string): Promise<Socket> {
  const socket = connect(socketPath);
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  await once(socket, 'data');
  socket.pause();
  return socket;
}

async function megabytes(host: Host): Promise<string> {
  const { stdout } = await host.exec(['sh', '-c', 'grep VmRSS "/proc/$(cat /run/shoal.pid)/status"']);
  return (Number(/\d+/.exec(stdout)?.[0]) / 1024).toFixed(0);
}

function pause(duration_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration_ms));
}
