import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { api, docker, eventually, formCluster, labForTests, startClient } from '../helpers/lab.js';
import {
  converged,
  createService,
  nodesOf,
  nodesReady,
  removeService,
  runningOf,
  webSpec,
} from '../helpers/service.js';

// Cut in two in the source: what the test itself logs must not be found.
const canary = `canary-${randomBytes(12).toString('hex')}`;

/** Sends what is no TLS, then opens 10,000 connections that say nothing, 5,000 more to the API, and holds them until it is ended. */
const floodProgram = `
  const net = require('node:net');
  const [host, path] = process.argv.slice(1);
  const open = (bytes, where = { host, port: 2377 }) => {
    const socket = net.connect(where);
    socket.on('error', () => {});
    socket.resume();
    if (bytes) socket.write(bytes);
  };
  for (const bytes of ['GET / HTTP/1.1\\r\\n\\r\\n', '\\x16\\x03\\x01\\xff\\xff', 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n', '\\0'.repeat(1e5)]) open(bytes);
  for (let count = 0; count < 100; count++) setTimeout(() => {
    for (let one = 0; one < 100; one++) open();
    for (let one = 0; one < 50; one++) open('', { path });
  }, count * 20);
  setInterval(() => {}, 1000);
`;

describe('a cluster of two managers and a worker that somebody attacks', function () {
  this.timeout(180_000);
  const lab = labForTests(3, { daemonFlags: ['--log-level', 'debug'] });
  const host = (at: number) => lab().hosts[at] as Host;
  const must = async (on: Host, ...args: string[]) => {
    const output = await docker(on, 'cluster', ...args);
    assert.equal(output.code, 0, `docker ${args.join(' ')}: ${output.stderr}`);
    return output.stdout;
  };
  const engine = async (on: Host, ...args: string[]) => (await docker(on, 'engine', ...args)).stdout;
  const containers = async (on: Host) =>
    (await engine(on, 'ps', '-aq', '--no-trunc')).split('\n').filter(Boolean).sort();
  /** Files below a host's directory with the text in it: daemon state, logs, engine data. */
  const filesWith = async (on: Host, text: string) => {
    const { stdout } = await tryRun('grep', ['-rlaF', '--devices=skip', text, dirname(on.daemonLog)]);
    return stdout.split('\n').filter(Boolean);
  };

  /** What the kernel writes when the host's daemon crashes and dumps are allowed; undefined where it does not write them to a file. */
  const coreDump = async (on: Host): Promise<Buffer | undefined> => {
    const { stdout } = await on.exec(['sh', '-c', `grep -o '"process":[0-9]*' ${on.daemonLog} | tail -n 1`]);
    const pid = stdout.trim().replace('"process":', '');
    const look = `prlimit --core=unlimited --pid ${pid} && cat /proc/${pid}/coredump_filter && readlink /proc/${pid}/cwd`;
    const [filter, directory = ''] = (await on.exec(['sh', '-c', look])).stdout.trim().split('\n');
    assert.equal(Number(filter), 0);
    await on.signalDaemon('SIGABRT');
    if (readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim() !== 'core') return undefined;
    const name = readdirSync(directory).find((entry) => /^core(\.\d+)?$/.test(entry));
    assert.ok(name !== undefined, `no core dump in ${directory}`);
    const dump = readFileSync(join(directory, name));
    rmSync(join(directory, name));
    return dump;
  };

  before(async () => {
    await formCluster(lab(), 2);
    await nodesReady(host(0), 3);
  });

  it('shows a secret to the task that names it, in memory, and nowhere else', async () => {
    const Data = Buffer.from(canary).toString('base64');
    const { status, body } = await api<{ ID: string }>(host(0), 'POST', '/secrets/create', { Name: 'key', Data });
    assert.equal(status, 201);
    const File = { Name: 'key', UID: '1000', GID: '1000', Mode: 0o400 };
    const spec = webSpec('holder', 1);
    await createService(host(0), {
      ...spec,
      TaskTemplate: {
        ...spec.TaskTemplate,
        ContainerSpec: {
          ...spec.TaskTemplate.ContainerSpec,
          Secrets: [{ SecretID: body.ID, SecretName: 'key', File }],
        },
        Placement: { Constraints: ['node.role==worker'] },
      },
    });
    const [task] = await converged(host(0), 'holder', 1);
    const id = task!.Status.ContainerStatus!.ContainerID;
    assert.equal(await engine(host(2), 'exec', id, 'cat', '/run/secrets/key'), canary);
    assert.equal(
      (await engine(host(2), 'exec', id, 'stat', '-c', '%u %g %a', '/run/secrets/key')).trim(),
      '1000 1000 400',
    );
    assert.match(await engine(host(2), 'exec', id, 'grep', '/run/secrets', '/proc/mounts'), /tmpfs/);
    const told = await Promise.all([
      engine(host(2), 'inspect', id),
      must(host(0), 'service', 'inspect', 'holder'),
      must(host(0), 'secret', 'inspect', 'key'),
      must(host(0), 'inspect', task!.ID),
      must(host(0), 'system', 'events', '--since', '10m', '--until', '0s'),
      engine(host(2), 'system', 'events', '--since', '10m', '--until', '0s'),
    ]);
    for (const text of told) assert.ok(!text.includes(canary) && !text.includes(Data), text);
    const token = (await must(host(0), 'swarm', 'join-token', '-q', 'manager')).trim();
    for (const on of lab().hosts) {
      for (const text of [canary, Data, token]) assert.deepEqual(await filesWith(on, text), [], on.name);
    }
    const memory = `grep -rlF ${canary} /run/shoal /dev/shm 2>/dev/null; true`;
    const inMemory = async () => (await host(2).exec(['sh', '-c', memory])).stdout.trim();
    assert.notEqual(await inMemory(), '', 'it is in memory while the task runs');
    const dump = await coreDump(host(2));
    if (dump !== undefined) assert.ok(dump.length > 0 && !dump.includes(canary) && !dump.includes(Data), 'a dump');
    await host(2).startDaemon();
    await nodesReady(host(0), 3);
    await eventually(async () => {
      const [now] = await runningOf(host(0), 'holder'); // another one where the daemon was away for long
      const found = await engine(
        host(2),
        'exec',
        now?.Status.ContainerStatus?.ContainerID ?? '',
        'cat',
        '/run/secrets/key',
      );
      return found === canary ? undefined : 'no task has its secret';
    });
    await removeService(host(0), 'holder');
    await eventually(async () => ((await inMemory()) === '' ? undefined : 'the secret is still in memory'));
  });

  it('replaces its root while tasks run on, as nobody notices', async () => {
    await createService(host(0), webSpec('web', 3));
    await converged(host(0), 'web', 3);
    const before = await Promise.all(lab().hosts.map(containers));
    const old = (await must(host(0), 'swarm', 'ca')).trim();
    const root = (await must(host(0), 'swarm', 'ca', '--rotate', '--quiet')).trim();
    await eventually(async () => {
      const now = (await must(host(1), 'swarm', 'ca')).trim();
      return now !== old ? undefined : 'the old root is still the one';
    });
    assert.notEqual(root, old);
    await nodesReady(host(0), 3);
    assert.deepEqual(await Promise.all(lab().hosts.map(containers)), before);
    await must(host(1), 'service', 'scale', '--detach', 'web=4');
    await converged(host(0), 'web', 4);
  });

  it('locks its managers: one that restarts serves nothing but unlock', async () => {
    const output = await must(host(0), 'swarm', 'update', '--autolock=true');
    const key = /SWMKEY-1-[A-Za-z0-9+/]{43}/.exec(output)?.[0];
    assert.ok(key, output);
    assert.equal((await must(host(1), 'swarm', 'unlock-key', '-q')).trim(), key);
    const sealed = async () => (await filesWith(host(1), 'BEGIN SHOAL SEALED KEYS')).length > 0;
    await eventually(async () => ((await sealed()) ? undefined : 'the second manager is not locked'));
    assert.deepEqual(await filesWith(host(1), key), [], 'the key is on no disk');
    const held = await containers(host(1));
    await host(1).signalDaemon('SIGKILL');
    await host(1).startDaemon();
    const state = async () => (await must(host(1), 'info', '--format', '{{.Swarm.LocalNodeState}}')).trim();
    await eventually(async () => ((await state()) === 'locked' ? undefined : await state()));
    const refused = await docker(host(1), 'cluster', 'node', 'ls');
    assert.match(refused.stderr, /Swarm is encrypted and needs to be unlocked before it can be used/);
    const unlock = (UnlockKey: string) => api<{ message: string }>(host(1), 'POST', '/swarm/unlock', { UnlockKey });
    const wrong = await unlock(`SWMKEY-1-${'A'.repeat(43)}`);
    assert.deepEqual([wrong.status, wrong.body.message], [400, 'swarm could not be unlocked: invalid key provided']);
    assert.deepEqual(await containers(host(1)), held, 'containers run on');
    assert.equal((await unlock(key)).status, 200);
    await nodesReady(host(1), 3);
    await converged(host(1), 'web', 4);
    for (const on of lab().hosts) assert.deepEqual(await filesWith(on, key), [], 'nor in a log');
  });

  it('goes on whatever comes to its port, and however many connections say nothing', async () => {
    const flood = startClient(lab(), [process.execPath, '-e', floodProgram, host(0).address, host(0).apiSocket]);
    let said = '';
    try {
      await eventually(async () => {
        const { stdout } = await host(0).exec(['sh', '-c', 'grep -c :0949 /proc/net/tcp']); // port 2377 in either column
        said = stdout.trim();
        return Number(said) > 500 ? undefined : `${said} connections`;
      });
      await nodesReady(host(0), 3);
      await must(host(0), 'service', 'scale', '--detach', 'web=3');
      await converged(host(1), 'web', 3);
    } finally {
      assert.equal((await flood.stop()).trim(), '', 'the flood went on until it was stopped');
    }
    await nodesReady(host(1), 3);
  });

  it('has a node that is removed by force stop what it ran for the cluster', async () => {
    const worker = (await nodesOf(host(0))).find(({ Spec }) => Spec.Role === 'worker')!;
    assert.notDeepEqual(await containers(host(2)), []);
    await must(host(0), 'node', 'rm', '--force', worker.ID);
    await eventually(async () => {
      const left = await containers(host(2));
      return left.length === 0 ? undefined : `${left.length} containers are left`;
    });
    await converged(host(0), 'web', 3, (task) => task.NodeID !== worker.ID);
    assert.match(
      await must(host(2), 'info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}'),
      /^error .*was removed from the cluster/,
    );
    await must(host(2), 'swarm', 'leave');
  });
});
