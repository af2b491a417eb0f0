import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Host } from '../../src/lab/host.js';
import type { Lab } from '../../src/lab/lab.js';
import type { NamespaceHost } from '../../src/lab/namespace-host.js';
import { tryRun } from '../../src/lab/run.js';
import { systemClock } from '../../src/model/clock.js';
import type { ContainerSpecInit, TaskInit } from '../../src/model/types.js';
import { DockerEngine } from '../../src/worker/docker-engine.js';
import { docker, eventually, labForTests } from '../helpers/lab.js';
import { NodeUnderTest, taskID, taskOf } from '../helpers/node-under-test.js';

const image = 'shoal/web:1';
const sleeper: ContainerSpecInit = { Command: ['sleep', '100000'], StopGracePeriod: 0 };

/** A node's agent on the engine of the first host of a lab, removed with all its tasks after each test. */
function workerOn(lab: () => { hosts: readonly Host[] }) {
  let nodes: NodeUnderTest[] = [];
  let engines: DockerEngine[] = [];
  let count = 0;
  const host = () => lab().hosts[0] as NamespaceHost;
  const memory = mkdtempSync('/dev/shm/shoal-worker-test-'); // the lab's hosts see the same /dev/shm as this process

  const nodeCalled = (id: string) => {
    const engine = new DockerEngine(`unix://${host().engineSocket}`, systemClock);
    const node = new NodeUnderTest(engine, systemClock, id, memory, host().address);
    engines.push(engine);
    nodes.push(node);
    node.start();
    node.assignAll();
    return node;
  };
  afterEach(async () => {
    for (const node of nodes) {
      if (node.agent === undefined) node.start();
      node.tasks.clear();
      node.assignAll();
    }
    await eventually(async () => {
      const listed = await docker(host(), 'engine', 'ps', '-aq', '--filter', 'label=com.docker.swarm.task');
      return listed.stdout.trim() === '' ? undefined : `containers are left: ${listed.stdout}`;
    });
    await Promise.all(nodes.map((node) => node.stop()));
    for (const engine of engines) engine.reset();
    nodes = [];
    engines = [];
  });
  after(() => rmSync(memory, { recursive: true, force: true }));

  return {
    host,
    memory,
    node: () => nodeCalled('node0000000000000000000001'),
    otherNode: () => nodeCalled('node0000000000000000000002'),
    task(node: NodeUnderTest, container: ContainerSpecInit = {}, init: TaskInit = {}) {
      count += 1;
      return node.assign(taskOf(count, node.id, { Image: image, ...container }, init));
    },
    nextNumber: () => count + 1,
    async inspect(node: NodeUnderTest, id: string) {
      const container = node.status(id).ContainerStatus?.ContainerID ?? '';
      const output = await docker(host(), 'engine', 'inspect', container);
      assert.equal(output.code, 0, output.stderr);
      return JSON.parse(output.stdout)[0];
    },
  };
}

/** The page at that place, as the client beside the cluster sees it; undefined when there is none. */
async function page(lab: Lab, address = '', port = 0): Promise<string | undefined> {
  // `timeout` and not wget's own -T: Debian's busybox-static 1.35 crashes with that outside of a container
  const command = ['timeout', '3', 'busybox', 'wget', '-q', '-O', '-', `http://${address}:${port}/`];
  const [program = '', ...args] = [...lab.clientPrefix(), ...command];
  const output = await tryRun(program, args);
  return output.code === 0 ? output.stdout.trim() : undefined;
}

const reaches = (node: NodeUnderTest, id: string, state: string, limit_ms?: number) =>
  eventually(async () => {
    const status = node.status(id);
    return status.State === state ? undefined : `${status.State}: ${status.Err}`;
  }, limit_ms);

describe('worker on a real engine', () => {
  const lab = labForTests(1, { daemonFlags: undefined });
  const worker = workerOn(lab);

  it('runs a task that answers at the address that it reports', async () => {
    const node = worker.node();
    const EndpointPorts = [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }];
    const id = worker.task(node, {}, { Spec: { ContainerSpec: { Image: image, Hostname: 'me' }, EndpointPorts } });
    await reaches(node, id, 'running');
    const [address] = node.status(id).Addresses;
    assert.equal(address?.Host, worker.host().address);
    await eventually(async () => {
      const answer = await page(lab(), address?.Host, address?.Port);
      return answer === 'v1 me' ? undefined : `answered ${answer}`;
    });
  });

  it('publishes host-mode ports on the node itself', async () => {
    const node = worker.node();
    const EndpointPorts = [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 18080, PublishMode: 'host' }];
    const id = worker.task(node, {}, { Spec: { ContainerSpec: { Image: image }, EndpointPorts } });
    await reaches(node, id, 'running');
    assert.equal(node.status(id).PortStatus?.Ports[0]?.PublishedPort, 18080);
    await eventually(async () => {
      const answer = await page(lab(), worker.host().address, 18080);
      return answer?.startsWith('v1 ') ? undefined : `answered ${answer}`;
    });
    const second = worker.task(node, {}, { Spec: { ContainerSpec: { Image: image }, EndpointPorts } });
    await reaches(node, second, 'failed');
    assert.match(node.status(second).Err, /^starting container failed: .*port is already allocated/);
  });

  it('brings every option to the container', async () => {
    const node = worker.node();
    const id = worker.task(
      node,
      {},
      {
        AssignedGenericResources: [{ NamedResourceSpec: { Kind: 'gpu', Value: 'one' } }],
        Spec: {
          Resources: {
            Limits: { NanoCPUs: 5e8, MemoryBytes: 64 * 2 ** 20, Pids: 50 },
            Reservations: { MemoryBytes: 32 * 2 ** 20 },
          },
          LogDriver: { Name: 'json-file', Options: { 'max-size': '1m' } },
          ContainerSpec: {
            Image: image,
            Command: ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'],
            Args: ['name'],
            Env: ['COLOUR=blue'],
            Labels: { mine: 'yes' },
            Hostname: 'h1',
            Dir: '/tmp',
            User: 'web',
            Groups: ['10'],
            StopSignal: 'SIGTERM',
            StopGracePeriod: 3e9,
            TTY: true,
            OpenStdin: true,
            ReadOnly: true,
            Init: true,
            Hosts: ['10.1.2.3 db database'],
            DNSConfig: { Nameservers: ['10.1.2.53'], Search: ['example.com'], Options: ['ndots:2'] },
            CapabilityAdd: ['CAP_NET_ADMIN'],
            CapabilityDrop: ['CAP_MKNOD'],
            Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
            Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '99' },
            OomScoreAdj: 7,
            Privileges: { NoNewPrivileges: true, Seccomp: { Mode: 'unconfined' } },
            Healthcheck: { Test: ['CMD', 'true'], Interval: 2e8, Timeout: 5e9, Retries: 2, StartPeriod: 1e9 },
            Mounts: [
              {
                Type: 'bind',
                Source: '/etc',
                Target: '/host-etc',
                ReadOnly: true,
                BindOptions: { Propagation: 'rslave' },
              },
              { Type: 'volume', Target: '/anonymous' },
              {
                Type: 'volume',
                Source: 'worker-test-data',
                Target: '/data',
                VolumeOptions: { NoCopy: true, Labels: { a: 'b' }, DriverConfig: { Name: 'local', Options: {} } },
              },
              { Type: 'tmpfs', Target: '/scratch', TmpfsOptions: { SizeBytes: 65536, Mode: 0o1770 } },
            ],
          },
        },
      },
    );
    await reaches(node, id, 'running');
    const { Name, Config, HostConfig, Mounts } = await worker.inspect(node, id);
    const is = (actual: unknown, expected: unknown) => assert.deepEqual(actual, expected);
    is(Name, `/web.${Number.parseInt(id.slice(4), 36)}.${id}`);
    is(Config.Entrypoint, ['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait']);
    is(Config.Cmd, ['name']);
    assert.ok(Config.Env.includes('COLOUR=blue') && Config.Env.includes('DOCKER_RESOURCE_GPU=one'), Config.Env);
    is([Config.Labels.mine, Config.Labels['com.docker.swarm.task.id']], ['yes', id]);
    is([Config.Hostname, Config.WorkingDir, Config.User], ['h1', '/tmp', 'web']);
    is([Config.StopSignal, Config.StopTimeout, Config.Tty, Config.OpenStdin], ['SIGTERM', 3, true, true]);
    is(Config.Healthcheck, { Test: ['CMD', 'true'], Interval: 2e8, Timeout: 5e9, Retries: 2, StartPeriod: 1e9 });
    is([HostConfig.ReadonlyRootfs, HostConfig.Init, HostConfig.GroupAdd], [true, true, ['10']]);
    is(HostConfig.ExtraHosts, ['db:10.1.2.3', 'database:10.1.2.3']);
    is([HostConfig.Dns, HostConfig.DnsSearch, HostConfig.DnsOptions], [['10.1.2.53'], ['example.com'], ['ndots:2']]);
    is([HostConfig.CapAdd, HostConfig.CapDrop], [['CAP_NET_ADMIN'], ['CAP_MKNOD']]);
    is(HostConfig.Ulimits, [{ Name: 'nofile', Soft: 512, Hard: 1024 }]);
    is(HostConfig.Sysctls, { 'net.ipv4.ip_unprivileged_port_start': '99' });
    is([HostConfig.OomScoreAdj, HostConfig.SecurityOpt], [7, ['seccomp=unconfined', 'no-new-privileges']]);
    is(
      [HostConfig.NanoCpus, HostConfig.Memory, HostConfig.MemoryReservation, HostConfig.PidsLimit],
      [5e8, 64 * 2 ** 20, 32 * 2 ** 20, 50],
    );
    is(HostConfig.LogConfig, { Type: 'json-file', Config: { 'max-size': '1m' } });
    is(HostConfig.RestartPolicy.Name === '' || HostConfig.RestartPolicy.Name === 'no', true);
    const mounted = new Map<string, { Type: string; RW: boolean; Propagation: string; Name?: string }>(
      Mounts.map((mount: { Destination: string }) => [mount.Destination, mount]),
    );
    is([mounted.get('/host-etc')?.RW, mounted.get('/host-etc')?.Propagation], [false, 'rslave']);
    is(mounted.get('/data')?.Name, 'worker-test-data');
    is(mounted.get('/scratch')?.Type, 'tmpfs');
    const size = await docker(
      worker.host(),
      'engine',
      'exec',
      Name.slice(1),
      'sh',
      '-c',
      'df -k /scratch | tail -1; stat -c %a /scratch',
    );
    assert.match(size.stdout, /^tmpfs +64 .*\n?1770/);

    node.withdraw(id);
    await eventually(async () => {
      const volumes = (await docker(worker.host(), 'engine', 'volume', 'ls', '-q')).stdout.trim();
      return volumes === 'worker-test-data' ? undefined : `volumes: ${volumes}`;
    });
    await docker(worker.host(), 'engine', 'volume', 'rm', 'worker-test-data');
  });

  it('rejects a task whose image is nowhere, in the engine’s words, while others run at once', async () => {
    const node = worker.node();
    const missing = worker.task(node, { Image: 'shoal.test/missing:1' });
    const present = worker.task(node);
    await reaches(node, present, 'running', 10_000);
    await reaches(node, missing, 'rejected');
    assert.match(node.status(missing).Err, /^No such image: shoal\.test\/missing:1 \(pulling it: .+\)$/);
  });

  it('rejects and fails in the engine’s own words', async () => {
    const node = worker.node();
    const mount = { Type: 'bind', Source: '/no/such/path', Target: '/x' };
    const rejected = worker.task(node, { Mounts: [mount] });
    const failed = worker.task(node, { Command: ['/no/such/program'] });
    await reaches(node, rejected, 'rejected');
    await reaches(node, failed, 'failed');
    assert.match(node.status(rejected).Err, /bind source path does not exist/);
    assert.match(node.status(failed).Err, /^starting container failed: .*\/no\/such\/program/);
  });

  it('tells how containers end', async () => {
    const node = worker.node();
    const well = worker.task(node, { Command: ['true'] });
    const ill = worker.task(node, { Command: ['sh', '-c', 'exit 42'] });
    const unhealthy = worker.task(node, {
      ...sleeper,
      Healthcheck: { Test: ['CMD', 'false'], Interval: 2e8, Timeout: 5e9, Retries: 1 },
    });
    await reaches(node, well, 'complete');
    await reaches(node, ill, 'failed');
    await reaches(node, unhealthy, 'failed');
    assert.deepEqual(
      [node.status(ill).Err, node.status(ill).ContainerStatus?.ExitCode],
      ['task: non-zero exit (42)', 42],
    );
    assert.equal(node.status(unhealthy).Err, 'task: unhealthy container');
    assert.ok(!node.history.get(unhealthy)?.includes('running'));
  });

  it('stops with the task’s signal and grace, and keeps the container until the task is gone', async () => {
    const node = worker.node();
    const polite = worker.task(node, {
      Command: ['sh', '-c', 'trap "exit 7" QUIT; sleep 100000 & wait'],
      StopSignal: 'SIGQUIT',
    });
    const stubborn = worker.task(node, { ...sleeper, StopGracePeriod: 1e9 });
    await reaches(node, polite, 'running');
    await reaches(node, stubborn, 'running');
    node.want(polite, 'shutdown');
    node.want(stubborn, 'shutdown');
    await reaches(node, polite, 'shutdown');
    await reaches(node, stubborn, 'shutdown');
    assert.equal((await worker.inspect(node, polite)).State.ExitCode, 7);
    assert.equal((await worker.inspect(node, stubborn)).State.ExitCode, 137);
    assert.equal(node.status(stubborn).ContainerStatus?.ExitCode, 137);
  });

  it('gives a task its secrets and configs as files, in memory, and takes them back', async () => {
    const node = worker.node();
    node.assignAll({
      secrets: [{ ID: 'secret1', Spec: { Name: 'key', Data: Buffer.from('canary') } }],
      configs: [{ ID: 'config1', Spec: { Name: 'conf', Data: Buffer.from('a=b') } }],
    });
    const file = (Name: string, Mode: number) => ({ Name, UID: '1000', GID: '1000', Mode });
    const id = worker.task(node, {
      Secrets: [{ SecretID: 'secret1', SecretName: 'key', File: file('key.txt', 0o400) }],
      Configs: [{ ConfigID: 'config1', ConfigName: 'conf', File: file('/etc/my.conf', 0o444) }],
    });
    await reaches(node, id, 'running');
    const { Name } = await worker.inspect(node, id);
    const seen = await docker(
      worker.host(),
      'engine',
      'exec',
      Name.slice(1),
      'sh',
      '-c',
      'cat /run/secrets/key.txt /etc/my.conf; stat -c " %a %u" /run/secrets/key.txt',
    );
    assert.equal(seen.stdout.trim(), 'canarya=b 400 1000');
    assert.ok(existsSync(`${worker.memory}/${id}`));
    node.want(id, 'shutdown');
    await reaches(node, id, 'shutdown');
    assert.deepEqual(readdirSync(worker.memory), []);

    const without = worker.task(node, { Secrets: [{ SecretID: 'other', SecretName: 'gone', File: file('x', 0o400) }] });
    await reaches(node, without, 'rejected');
    assert.match(node.status(without).Err, /secret gone/);
  });

  it('takes over what runs when it starts anew, and removes what is not wanted', async () => {
    const node = worker.node();
    const [kept, left] = [worker.task(node, sleeper), worker.task(node, sleeper)];
    await reaches(node, kept, 'running');
    await reaches(node, left, 'running');
    const before = await worker.inspect(node, kept);
    await node.stop();
    const foreign = await docker(worker.host(), 'engine', 'run', '-d', '--name', 'foreign', image);
    assert.equal(foreign.code, 0, foreign.stderr);
    node.tasks.delete(left);
    node.start();
    node.assignAll();
    await eventually(async () => {
      const names = (await docker(worker.host(), 'engine', 'ps', '-a', '--format', '{{.Names}}')).stdout;
      return names.includes(left) ? names : undefined;
    });
    const after = await worker.inspect(node, kept);
    assert.deepEqual([after.Id, after.State.StartedAt], [before.Id, before.State.StartedAt]);
    assert.deepEqual(
      node.history.get(kept)?.filter((state) => state === 'running'),
      ['running'],
    );
    const removed = await docker(worker.host(), 'engine', 'rm', '-f', 'foreign');
    assert.equal(removed.stdout.trim(), 'foreign');
  });

  it('fails a task whose container somebody kills or removes', async () => {
    const node = worker.node();
    const [killed, removed] = [worker.task(node, sleeper), worker.task(node, sleeper)];
    await reaches(node, killed, 'running');
    await reaches(node, removed, 'running');
    await docker(worker.host(), 'engine', 'kill', node.status(killed).ContainerStatus?.ContainerID ?? '');
    await docker(worker.host(), 'engine', 'rm', '-f', node.status(removed).ContainerStatus?.ContainerID ?? '');
    await reaches(node, killed, 'failed');
    await reaches(node, removed, 'failed');
    assert.equal(node.status(killed).Err, 'task: non-zero exit (137)');
  });

  it('shares the engine with another node’s agent', async () => {
    const [one, two] = [worker.node(), worker.otherNode()];
    const [a, b] = [worker.task(one, sleeper), worker.task(two, sleeper)];
    await reaches(one, a, 'running');
    await reaches(two, b, 'running');
    one.withdraw(a);
    one.assignAll();
    await eventually(async () => {
      const names = (await docker(worker.host(), 'engine', 'ps', '-a', '--format', '{{.Names}}')).stdout;
      return names.includes(a) || !names.includes(b) ? names : undefined;
    });
    assert.equal(two.state(b), 'running');
  });

  it('comes through a storm of events without losing one that counts', async () => {
    const node = worker.node();
    const ids = Array.from({ length: 12 }, () => worker.task(node, { Command: ['sh', '-c', 'sleep 0.3; exit 5'] }));
    await Promise.all(ids.map((id) => reaches(node, id, 'failed')));
    assert.deepEqual([...new Set(ids.map((id) => node.status(id).Err))], ['task: non-zero exit (5)']);
  });

  it('reports an engine that hangs, and goes on when it answers again', async () => {
    const node = worker.node();
    const before = worker.task(node, sleeper);
    await reaches(node, before, 'running');
    const pid = (await worker.host().exec(['sh', '-c', 'cat /run/docker.pid'])).stdout.trim();
    await worker.host().exec(['kill', '-STOP', pid]);
    try {
      await eventually(async () => (node.agent?.engineError() === '' ? 'no error yet' : undefined), 40_000);
      worker.task(node, sleeper);
    } finally {
      await worker.host().exec(['kill', '-CONT', pid]);
    }
    await eventually(async () => node.agent?.engineError() || undefined, 40_000);
    const after = taskID(worker.nextNumber() - 1);
    await reaches(node, after, 'running');
    assert.equal(node.state(before), 'running');
  });

  it('fails tasks whose containers an engine took down with it, and runs new ones when it is back', async () => {
    const node = worker.node();
    const before = worker.task(node, sleeper);
    await reaches(node, before, 'running');
    await worker.host().killEngine();
    await eventually(async () => (node.agent?.engineError() === '' ? 'no error yet' : undefined), 20_000);
    assert.equal(node.state(before), 'running', 'nothing is known while it is away');
    await worker.host().startEngine();
    await reaches(node, before, 'failed');
    const after = worker.task(node, sleeper);
    await reaches(node, after, 'running');
    assert.equal(node.agent?.engineError(), '');
  });
});

describe('worker on an engine with live restore', () => {
  const lab = labForTests(1, { daemonFlags: undefined, engineFlags: ['--live-restore'] });
  const worker = workerOn(lab);

  it('keeps its tasks over a restart of the engine', async () => {
    const node = worker.node();
    const id = worker.task(node, sleeper);
    await reaches(node, id, 'running');
    const before = await worker.inspect(node, id);
    await worker.host().killEngine();
    await worker.host().startEngine();
    await eventually(async () => node.agent?.engineError() || undefined);
    const after = await worker.inspect(node, id);
    assert.deepEqual([after.Id, after.State.StartedAt], [before.Id, before.State.StartedAt]);
    assert.deepEqual(node.history.get(id)?.at(-1), 'running');
    node.want(id, 'remove');
    await reaches(node, id, 'shutdown');
  });
});
