import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { packageRoot } from '../../src/model/paths.js';
import { docker, eventually, formCluster, get, labForTests, shoal, startClient } from '../helpers/lab.js';
import { converged, nodesReady, tasksOf } from '../helpers/service.js';

const registry = '10.99.0.100:5000';
const login = { username: 'somebody', password: 'canary' };

/** A stack of the usual parts; `web` is what changes. */
const stack = (replicas: number, more = '') => `
services:
  web:
    image: shoal/web:1
    environment: {MADE_BY: $MADE_BY}
    secrets: [key]
    configs: [{source: conf, target: /etc/web.conf}]
    ports: ["8097:80"]
    networks: [front, back]
    deploy:
      replicas: ${replicas}
      update_config: {order: start-first, failure_action: rollback}
  cache: {image: "shoal/web:1", networks: [back], deploy: {endpoint_mode: dnsrr}}
  agent: {image: "shoal/web:1", networks: [back], deploy: {mode: global}}
${more}
networks: {front: {}, back: {internal: true, attachable: true}}
secrets: {key: {file: key.txt}}
configs: {conf: {file: web.conf}}
`;

describe('what people have', function () {
  this.timeout(180_000);
  const lab = labForTests(2, { engineFlags: [`--insecure-registry=${registry}`] });
  const host = (at: number) => lab().hosts[at] as Host;
  let folder = '';
  let ends: (() => unknown)[] = [];

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 2);
    folder = mkdtempSync(join(tmpdir(), 'shoal-stack-'));
  });
  after(async () => {
    for (const end of ends) await end();
    ends = [];
    rmSync(folder, { recursive: true, force: true });
  });
  const must = async (output: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> => {
    const { code, stdout, stderr } = await output;
    assert.equal(code, 0, stdout + stderr);
    return stdout.trim();
  };

  for (const client of ['docker', 'shoal'] as const) {
    it(`${client} stack: deploys, changes, shows and removes a stack`, async () => {
      const run = (...args: string[]) =>
        must(client === 'docker' ? docker(host(0), 'cluster', 'stack', ...args) : shoal(host(0), 'stack', ...args));
      const deploy = (text: string, ...args: string[]) => {
        writeFileSync(join(folder, 'compose.yml'), `version: "3.8"\n${text.replace('$MADE_BY', client)}`);
        return run('deploy', '-c', join(folder, 'compose.yml'), '--resolve-image', 'never', ...args, 'shop');
      };
      writeFileSync(join(folder, 'key.txt'), 'canary');
      writeFileSync(join(folder, 'web.conf'), 'a: b');
      const made = await deploy(stack(2, '  extra: {image: "shoal/web:1", networks: [back]}'));
      for (const one of [
        'network shop_back',
        'network shop_front',
        'secret shop_key',
        'config shop_conf',
        'service shop_web',
      ]) {
        assert.match(made, new RegExp(`Creating ${one}`));
      }
      await converged(host(0), 'shop_web', 2);
      await converged(host(0), 'shop_agent', 2);
      await eventually(async () => ((await get(lab(), host(1).address, 8097))?.includes('v1') ? undefined : 'no page'));
      assert.match(await run('ls', '--format', '{{.Name}}={{.Services}}'), /^shop=4$/);
      const services = await run('services', '--format', '{{.Name}} {{.Mode}} {{.Replicas}}', 'shop');
      assert.match(services, /shop_web replicated 2\/2/);
      assert.match(services, /shop_agent global 2\/2/);
      const listed = await run(
        'ps',
        '--format',
        '{{.Name}} {{.DesiredState}}',
        '--filter',
        'desired-state=running',
        'shop',
      );
      assert.equal(listed.split('\n').length, 6, listed);
      const secret = await must(
        docker(host(0), 'cluster', 'secret', 'inspect', '--format', '{{.Spec.Labels}}', 'shop_key'),
      );
      assert.equal(secret, 'map[com.docker.stack.namespace:shop]');

      const changed = await deploy(stack(3), '--prune');
      assert.match(changed, /Removing service shop_extra/);
      assert.match(changed, /Updating service shop_web \(id: \w+\)/);
      await converged(host(0), 'shop_web', 3);
      await converged(host(0), 'shop_agent', 2);

      assert.match(await run('rm', 'shop'), /Removing service shop_web/);
      await eventually(async () => {
        const left = await docker(
          host(0),
          'cluster',
          'network',
          'ls',
          '-q',
          '--filter',
          'label=com.docker.stack.namespace',
        );
        const services = await docker(host(0), 'cluster', 'service', 'ls', '-q');
        const secrets = await docker(host(0), 'cluster', 'secret', 'ls', '-q');
        if (left.stdout + services.stdout + secrets.stdout === '') return undefined;
        await run('rm', 'shop'); // as people do: a network goes once the last task of it has gone
        return left.stdout + services.stdout + secrets.stdout;
      });
    });
  }

  it('images of a registry that wants a login: pinned, pulled by every node, refused without it', async () => {
    const server = startClient(lab(), [
      process.execPath,
      join(packageRoot(), 'dist/test/helpers/registry-server.js'),
      ...registry.split(':'),
      `${login.username}:${login.password}`,
    ]);
    ends.push(() => server.stop());
    const image = `${registry}/team/web`;
    const config = join(folder, 'config');
    mkdirSync(config);
    const auth = Buffer.from(`${login.username}:${login.password}`).toString('base64');
    writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { [registry]: { auth } } }));
    const at = (socket: string, ...args: string[]) =>
      tryRun('docker', ['--config', config, '-H', `unix://${socket}`, ...args]);
    const publish = async (from: string, tag: string) => {
      await must(at(host(0).engineSocket, 'tag', from, `${image}:${tag}`));
      await eventually(async () => {
        const pushed = await at(host(0).engineSocket, 'push', '-q', `${image}:${tag}`);
        return pushed.code === 0 ? undefined : pushed.stderr;
      });
      await must(at(host(0).engineSocket, 'rmi', `${image}:${tag}`));
    };
    await publish('shoal/web:1', '1');
    const create = ['service', 'create', '-d', '--name', 'pulled', '--replicas', '2', '--restart-condition', 'none'];
    await must(at(host(0).apiSocket, ...create, '--with-registry-auth', `${image}:1`));
    const tasks = await converged(host(0), 'pulled', 2);
    assert.match(tasks[0]!.Spec.ContainerSpec.Image, /\/team\/web:1@sha256:[0-9a-f]{64}$/);
    assert.equal(new Set(tasks.map((task) => task.NodeID)).size, 2, 'both nodes had to pull');

    await publish('shoal/web:2', '2');
    await must(
      at(host(0).apiSocket, 'service', 'update', '-d', '--with-registry-auth', '--image', `${image}:2`, 'pulled'),
    );
    await converged(host(0), 'pulled', 2, (task) => /:2@sha256:/.test(task.Spec.ContainerSpec.Image));
    const shown = await must(docker(host(0), 'cluster', 'service', 'inspect', 'pulled'));
    assert.ok(!shown.includes(auth) && !shown.includes('RegistryAuth'));

    await publish('shoal/web:1', '3');
    const anonymous = create.map((word) => (word === 'pulled' ? 'refused' : word));
    await must(docker(host(0), 'cluster', ...anonymous, `${image}:3`));
    await eventually(async () => {
      const [task] = await tasksOf(host(0), 'refused');
      return /no basic auth credentials|authentication required|unauthorized/.test(task?.Status.Err ?? '')
        ? undefined
        : `${task?.Status.State} ${task?.Status.Err}`;
    });
    await must(docker(host(0), 'cluster', 'service', 'rm', 'pulled', 'refused'));
  });

  it('dockerode', async () => {
    const sdk = new Docker({ socketPath: host(0).apiSocket });
    const created = await sdk.createService({
      Name: 'node-sdk',
      TaskTemplate: { ContainerSpec: { Image: 'shoal/web:1' } },
      Mode: { Replicated: { Replicas: 2 } },
    });
    await converged(host(0), 'node-sdk', 2);
    const service = sdk.getService(created.id);
    const { Spec, Version } = await service.inspect();
    await service.update({ ...Spec, version: Version.Index, Mode: { Replicated: { Replicas: 1 } } });
    await converged(host(0), 'node-sdk', 1);
    const [task] = await sdk.listTasks({ filters: { service: ['node-sdk'], 'desired-state': ['running'] } });
    assert.equal((await sdk.getTask(task!.ID).inspect()).ServiceID, created.id);
    const exec = await sdk
      .getContainer(task!.Status.ContainerStatus.ContainerID)
      .exec({ Cmd: ['echo', 'hi'], AttachStdout: true });
    const stream = await exec.start({});
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    assert.match(text, /hi/);
    assert.equal((await sdk.listNodes()).length, 2);
    assert.equal((await sdk.swarmInspect()).Spec.Name, 'default');
    const secret = await sdk.createSecret({ Name: 'sdk', Labels: {}, Data: 'aGk=' });
    assert.equal((await sdk.listSecrets({ filters: { name: ['sdk'] } })).length, 1);
    await sdk.getSecret(secret.id).remove();
    await service.remove();
  });

  it('the Python SDK', async () => {
    const program = `
import docker, time
client = docker.DockerClient(base_url='unix://${host(0).apiSocket}')
service = client.services.create('shoal/web:1', name='python', labels={'a': 'b'}, mode=docker.types.ServiceMode('replicated', 2),
    endpoint_spec=docker.types.EndpointSpec(ports={8098: 80}), env=['A=b'], restart_policy=docker.types.RestartPolicy('any'))
def running(count):
    for _ in range(600):
        states = [task['Status']['State'] for task in service.tasks(filters={'desired-state': 'running'})]
        if states == ['running'] * count: return
        time.sleep(0.1)
    raise Exception(states)
running(2)
service.reload()  # its endpoint was written since it was created, a new version as with Docker
assert service.scale(3)
running(3)
service.reload()
assert service.update(labels={'c': 'd'}) is not None
service.reload()
assert service.attrs['Spec']['Labels'] == {'c': 'd'}, service.attrs
assert service.force_update()
assert [s.name for s in client.services.list(filters={'name': 'python'})] == ['python']
assert len(client.nodes.list(filters={'role': 'manager'})) == 1
assert client.swarm.attrs['Spec']['Name'] == 'default'
network = client.networks.create('py', driver='overlay', attachable=True)
assert client.networks.get('py').attrs['Scope'] == 'swarm'
network.remove()
secret = client.secrets.create(name='py', data=b'x')
config = client.configs.create(name='py', data=b'y')
assert client.configs.get(config.id).attrs['Spec']['Data'] == 'eQ=='
secret.remove(); config.remove()
assert client.info()['Swarm']['LocalNodeState'] == 'active'
since = int(time.time()) - 60
actions = [(e['Type'], e['Action']) for e in client.events(since=since, until=int(time.time()) + 1, decode=True) if e.get('scope') == 'swarm']
assert ('service', 'create') in actions and ('secret', 'remove') in actions, actions
assert service.remove()
print('done')
`;
    assert.equal(await must(tryRun('/usr/bin/python3', ['-c', program])), 'done');
  });
});
