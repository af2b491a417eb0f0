import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import type { LoadReport } from '../../src/lab/load.js';
import { tryRun } from '../../src/lab/run.js';
import { packageRoot } from '../../src/model/paths.js';
import { docker, eventually, formCluster, labForTests, shoal, startClient } from '../helpers/lab.js';
import { converged, type ListedTask, nodesReady, runningOf } from '../helpers/service.js';

const loadProgram = join(packageRoot(), 'dist', 'src', 'lab', 'load.js');

/** Says over UDP who it is and who asked. */
const datagramServer = `const s = require('dgram').createSocket('udp4');
s.on('message', (_, from) => s.send(from.address + ' ' + require('os').hostname(), from.port, from.address));
s.bind(53); process.on('SIGTERM', () => process.exit());`;
/** Asks so often, each time from another port unless that is given, and prints the answers. */
const datagramClient = `const [address, port, times, from] = process.argv.slice(1);
for (let n = 0; n < times; n++) {
  const s = require('dgram').createSocket('udp4');
  s.on('message', (text) => { console.log(String(text)); s.close(); });
  s.on('error', () => s.close());
  s.bind(Number(from ?? 0), () => s.send('x', Number(port), address));
  setTimeout(() => { try { s.close(); } catch {} }, 3000);
}`;

describe('the routing mesh in the kernel on three real engines', function () {
  this.timeout(180_000);
  const lab = labForTests(3, { daemonFlags: ['--data-plane', 'kernel'] });
  const host = (at: number) => lab().hosts[at] as Host;
  const must = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout.trim();
  };
  const onHost = async (on: Host, command: string) => {
    const { stdout, stderr } = await on.exec(['sh', '-c', command]);
    return (stdout + stderr).trim();
  };
  const outside = async (...command: string[]) => {
    const [program = '', ...args] = [...lab().clientPrefix(), ...command];
    return (await tryRun(program, args)).stdout.trim();
  };
  const within = async (task: ListedTask, command: string) => {
    const name = await must(host(0), 'node', 'inspect', '-f', '{{.Description.Hostname}}', task.NodeID);
    const on = lab().hosts.find((one) => one.name === name)!;
    const output = await docker(on, 'engine', 'exec', task.Status.ContainerStatus!.ContainerID, 'sh', '-c', command);
    return (output.stdout + output.stderr).trim();
  };
  const curl = (address: string, port: number) => [
    'curl',
    '-s',
    '--max-time',
    '5',
    `http://${address}:${port}/cgi-bin/who`,
  ];
  /** Whom each of so many answers was for, and the names of those who gave them. */
  const seen = async (ask: () => Promise<string>, times = 3) => {
    const [sources, tasks] = [new Set<string>(), new Set<string>()];
    for (let time = 0; time < times; time++) {
      const [source = '', task = ''] = (await ask()).split(' ');
      sources.add(source.replace(/^\[?(?:::ffff:)?([\d.]+)\]?$/, '$1'));
      tasks.add(task);
    }
    return { sources: [...sources].sort(), tasks: tasks.size };
  };
  const create = async (name: string, ...args: string[]) => {
    await must(host(0), 'service', 'create', '-d', '--name', name, '--replicas', '3', ...args, 'shoal/web:1');
    const tasks = await converged(host(0), name, 3);
    const program = '/www/cgi-bin/who';
    const script = `printf '#!/bin/sh\\necho; echo $REMOTE_ADDR $(hostname)\\n' > ${program}; chmod +x ${program}`;
    await Promise.all(tasks.map((task) => within(task, script)));
    return tasks;
  };
  const client = () => lab().layout.clientAddress;

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 3);
    await must(host(0), 'network', 'create', '-d', 'overlay', 'blue');
    await create('web', '-p', '8080:80');
  });

  it('shows every task the client’s own address, whatever node it came to', async () => {
    for (const on of lab().hosts) {
      const all = await seen(() => outside(...curl(on.address, 8080)));
      assert.deepEqual(all, { sources: [client()], tasks: 3 }, on.name);
    }
  });

  it('serves the node itself, its loopback, and containers on it, a task that calls itself included', async () => {
    const [first] = lab().hosts as [Host];
    for (const address of [first.address, '127.0.0.1', host(1).address]) {
      const { tasks } = await seen(() => onHost(first, curl(address, 8080).join(' ')));
      assert.equal(tasks, 3, address);
    }
    const [task] = await runningOf(first, 'web');
    for (const on of lab().hosts) {
      const request = `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${on.address} 8080 | tail -1`;
      const { tasks } = await seen(() => within(task!, request));
      assert.equal(tasks, 3, on.name);
    }
  });

  it('shows tasks of services on networks of the cluster the client too, or the node if the service asks for that', async () => {
    const tasks = await create('inner', '-p', '8082:80', '--network', 'blue');
    await create('hidden', '-p', '8081:80', '--label', 'shoal.lb.source=masquerade');
    await create('loyal', '-p', '8083:80', '--label', 'shoal.lb.sticky=ip');
    for (const on of lab().hosts) {
      assert.deepEqual(await seen(() => outside(...curl(on.address, 8082))), { sources: [client()], tasks: 3 });
      const hidden = await seen(() => outside(...curl(on.address, 8081)));
      assert.deepEqual([hidden.tasks, hidden.sources.includes(client())], [3, false]);
      assert.equal((await seen(() => outside(...curl(on.address, 8083)), 6)).tasks, 1);
      const request = `printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | timeout 5 nc ${on.address} 8082 | tail -1`;
      assert.equal((await seen(() => within(tasks[0]!, request))).tasks, 3, `a task on blue, by ${on.name}`);
    }
    await must(host(0), 'service', 'rm', 'inner', 'hidden', 'loyal');
  });

  it('carries UDP, with the client’s address, and takes clients along when their task is replaced', async () => {
    const program = ['chroot', '/host', process.execPath, '-e', datagramServer];
    const mount = ['--mount', 'type=bind,source=/,target=/host,readonly', '-p', '5353:53/udp'];
    await must(
      host(0),
      'service',
      'create',
      '-d',
      '--name',
      'names',
      '--replicas',
      '3',
      ...mount,
      'shoal/web:1',
      ...program,
    );
    await converged(host(0), 'names', 3);
    const ask = (...args: string[]) => outside(process.execPath, '-e', datagramClient, ...args);
    for (const on of lab().hosts) {
      await eventually(async () => {
        const answers = (await ask(on.address, '5353', '6')).split('\n').map((line) => line.split(' '));
        const ok = answers.length === 6 && answers.every(([source]) => source === client());
        return ok && new Set(answers.map(([, task]) => task)).size === 3
          ? undefined
          : `${on.name}: ${answers.join('; ')}`;
      });
    }
    const before = await ask(host(0).address, '5353', '1', '4444');
    await must(
      host(0),
      'service',
      'update',
      '-d',
      '--force',
      '--update-delay',
      '0s',
      '--update-parallelism',
      '0',
      'names',
    );
    await eventually(async () => {
      const after = await ask(host(0).address, '5353', '1', '4444');
      return after !== '' && after !== before ? undefined : `answered by ${after}, as before by ${before}`;
    });
    await must(host(0), 'service', 'rm', 'names');
  });

  it('loses no request while somebody takes the rules away, and has them again within seconds', async () => {
    const urls = lab().hosts.map((one) => `http://${one.address}:8080/`);
    const load = startClient(lab(), [process.execPath, loadProgram, ...urls]);
    for (const command of [
      'nft delete table ip shoal',
      'nft flush map ip shoal ports',
      'nft flush chain ip shoal forward',
    ]) {
      await onHost(host(0), command);
      await eventually(async () => {
        const { sources } = await seen(() => outside(...curl(host(0).address, 8080)));
        const table = await onHost(host(0), 'nft list table ip shoal');
        const isWhole = table.includes('goto pub_tcp_8080') && table.includes('vmap @within');
        return isWhole && sources.join() === client() ? undefined : `${command}: ${sources.join()}`;
      });
    }
    const report = JSON.parse((await load.stop()).split('\n')[1] ?? '') as LoadReport;
    assert.equal(report.failed, 0, JSON.stringify(report));
  });

  it('is what the state says, as network verify tells, and what somebody changed is named', async () => {
    for (const on of lab().hosts) {
      await eventually(async () => {
        const { code, stdout, stderr } = await shoal(on, 'network', 'verify');
        return code === 0 ? undefined : stdout + stderr;
      });
    }
    const rule = 'nft add rule ip shoal forward ip daddr 10.9.9.9 drop';
    await onHost(host(1), `${rule}; ip neigh replace 100.96.0.1 lladdr 02:53:00:00:09:09 dev shv0 nud permanent`);
    const { code, stdout } = await shoal(host(1), 'network', 'verify');
    if (code !== 0) assert.match(stdout, /chain forward has|neigh replace 100\.96\.0\.1/); // else it was put right already
    await eventually(async () => {
      const look = await shoal(host(1), 'network', 'verify');
      return look.code === 0 ? undefined : look.stdout;
    });
  });

  it('comes back after what leads between nodes was taken away', async () => {
    await onHost(host(0), 'ip link del shv0; while ip rule del pref 5300; do :; done');
    await eventually(async () => {
      const answers = await seen(() => outside(...curl(host(0).address, 8080)));
      const back = await seen(() => outside(...curl(host(1).address, 8080)));
      return answers.tasks + back.tasks === 6 ? undefined : JSON.stringify([answers, back]);
    });
  });

  it('leaves nothing behind when the port is no longer published, and when a node leaves', async () => {
    const left = await shoal(host(2), 'swarm', 'leave');
    assert.equal(left.code, 0, left.stderr);
    const look = 'ip -br link; nft list tables ip; iptables -S DOCKER-USER; ip route show table all; ip rule';
    const ours = /shv0|shl\d|shoal|0x53000000|100\.96|5300:/;
    assert.doesNotMatch(await onHost(host(2), look), ours);
    await must(host(0), 'service', 'rm', 'web');
    await must(host(0), 'network', 'rm', 'blue');
    for (const on of [host(0), host(1)]) {
      await eventually(async () => {
        const found = ours.exec(await onHost(on, look));
        return found === null ? undefined : `${on.name} has ${found[0]}`;
      });
    }
  });
});
