import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { packageRoot } from '../../src/model/paths.js';
import { api, docker, eventually, formCluster, get, labForTests, shoal } from '../helpers/lab.js';
import { converged, type ListedTask, nodesReady, tasksOf } from '../helpers/service.js';

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
  const lab = labForTests(2);
  const host = (at: number) => lab().hosts[at] as Host;
  let folder = '';

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 2);
    folder = mkdtempSync(join(tmpdir(), 'shoal-stack-'));
  });
  after(async () => {
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

  it('the six stacks of deploy/stacks: deployed, updated, looked at and removed', async () => {
    const files = join(packageRoot(), 'deploy', 'stacks');
    const names = ['shop', 'agent', 'job', 'settings', 'networks', 'placement'];
    const stack = (env: Record<string, string>, ...args: string[]) =>
      must(tryRun('docker', ['-H', `unix://${host(0).apiSocket}`, 'stack', ...args], { env }));
    const deploy = async (version: string) => {
      for (const name of names) {
        await stack({ VERSION: version }, 'deploy', '-c', join(files, `${name}.yml`), '--resolve-image', 'never', name);
      }
    };
    const counts = {
      shop_web: 2,
      shop_database: 1,
      shop_cache: 1,
      agent_agent: 2,
      job_retried: 1,
      settings_app: 1,
      networks_gateway: 1,
      networks_api: 1,
      networks_store: 1,
      placement_workers: 3,
    };
    const settled = async (version: string) => {
      const isOf = ({ Spec }: ListedTask) => Spec.ContainerSpec.Image === `shoal/web:${version}`;
      for (const [service, count] of Object.entries(counts)) await converged(host(0), service, count, isOf);
    };
    await deploy('1');
    await settled('1');
    await eventually(async () => ((await get(lab(), host(1).address, 8081))?.includes('v1') ? undefined : 'no page'));
    await eventually(async () => ((await get(lab(), host(1).address, 9101))?.includes('v1') ? undefined : 'no agent'));
    assert.match(await must(docker(host(0), 'cluster', 'service', 'logs', '--raw', 'job_migrate')), /^migrated to 1$/m);
    const [app] = await tasksOf(host(0), 'settings_app');
    const told = ['cat', '/run/secrets/password', '/etc/app.conf', '/etc/where'];
    const text = await must(docker(host(0), 'cluster', 'exec', app!.Status.ContainerStatus!.ContainerID, ...told));
    assert.match(text, /^not-a-secret\ngreeting = hello\nI run on node[12]$/);
    const listed = await stack({}, 'ls', '--format', '{{.Name}}={{.Services}}');
    assert.deepEqual(listed.split('\n').sort(), [
      'agent=1',
      'job=2',
      'networks=3',
      'placement=1',
      'settings=1',
      'shop=3',
    ]);

    await deploy('2');
    await settled('2');
    await eventually(async () => ((await get(lab(), host(1).address, 8081))?.includes('v2') ? undefined : 'no page'));
    await eventually(async () => {
      // One that was replaced counts until it has ended, as in Docker.
      const services = await stack({}, 'services', '--format', '{{.Name}} {{.Replicas}} {{.Image}}', 'placement');
      return services === 'placement_workers 3/3 (max 2 per node) shoal/web:2' ? undefined : services;
    });
    const ran = await stack(
      {},
      'ps',
      '--format',
      '{{.Name}} {{.DesiredState}}',
      '--filter',
      'desired-state=running',
      'networks',
    );
    assert.deepEqual(ran.split('\n').sort(), [
      'networks_api.1 Running',
      'networks_gateway.1 Running',
      'networks_store.1 Running',
    ]);

    await stack({}, 'rm', ...names);
    await eventually(async () => {
      const left = await Promise.all(
        ['service', 'network', 'secret', 'config'].map((kind) =>
          docker(host(0), 'cluster', kind, 'ls', '-q', '--filter', 'label=com.docker.stack.namespace'),
        ),
      );
      return left.map(({ stdout }) => stdout).join('') || undefined;
    });
  });

  it('a proxy that looks for services, and a dashboard, by the calls that they make', async () => {
    await must(docker(host(0), 'cluster', 'network', 'create', '-d', 'overlay', 'public'));
    const labels = [
      '--label',
      'traefik.enable=true',
      '--label',
      'traefik.http.services.shown.loadbalancer.server.port=80',
    ];
    const spec = ['-d', '--no-resolve-image', '--replicas', '2', '--network', 'public', ...labels, 'shoal/web:1'];
    await must(docker(host(0), 'cluster', 'service', 'create', '--name', 'shown', ...spec));
    await converged(host(0), 'shown', 2);
    const ask = async (path: string) => {
      const { status, body } = await api(host(0), 'GET', path);
      assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
      // biome-ignore lint/suspicious/noExplicitAny: the assertions say what it is
      return body as any;
    };
    const filters = (value: object) => encodeURIComponent(JSON.stringify(value));

    // A proxy (Traefik's Swarm provider): an old API version, filters in the form of maps, addresses by network id.
    await ask('/v1.24/version');
    const [service] = (await ask('/v1.24/services?filters=%7B%7D')).filter(
      ({ Spec }: { Spec: { Labels: object } }) => 'traefik.enable' in Spec.Labels,
    );
    const networks = await ask(`/v1.24/networks?filters=${filters({ scope: { swarm: true } })}`);
    const shared = networks.find(({ Name }: { Name: string }) => Name === 'public');
    assert.equal(service.Endpoint.VirtualIPs[0].NetworkID, shared.Id);
    assert.match(service.Endpoint.VirtualIPs[0].Addr, /^10\.\d+\.\d+\.\d+\/\d+$/);
    const wanted = { 'desired-state': { running: true }, service: { [service.ID]: true } };
    const tasks = await ask(`/v1.24/tasks?filters=${filters(wanted)}`);
    assert.equal(tasks.length, 2);
    for (const { Status, NetworksAttachments } of tasks) {
      assert.equal(Status.State, 'running');
      assert.equal(NetworksAttachments[0].Network.ID, shared.Id);
      assert.match(NetworksAttachments[0].Addresses[0], /^10\./);
    }

    // A dashboard (Portainer): the lists of its pages, then a service's, a task's and a container's on another node.
    const pages = [
      'info',
      'version',
      'swarm',
      'nodes',
      'services?status=true',
      'tasks',
      'secrets',
      'configs',
      'networks',
    ];
    for (const page of [...pages, 'volumes', 'images/json', 'containers/json?all=1', 'system/df'])
      await ask(`/v1.41/${page}`);
    const now = Math.floor(Date.now() / 1000);
    const { status } = await api(
      host(0),
      'GET',
      `/v1.41/services/shown/logs?stdout=1&stderr=1&timestamps=1&tail=100&since=${now}`,
    );
    assert.equal(status, 200);
    const elsewhere = tasks.find(({ NodeID }: ListedTask) => NodeID !== tasks[0].NodeID) ?? tasks[0];
    const container = elsewhere.Status.ContainerStatus.ContainerID;
    assert.equal((await ask(`/v1.41/containers/${container}/json`)).Id, container);
    assert.ok((await ask(`/v1.41/containers/${container}/stats?stream=false`)).read);
    const { Spec, Version } = await ask(`/v1.41/services/${service.ID}?insertDefaults=true`);
    Spec.TaskTemplate.ForceUpdate = (Spec.TaskTemplate.ForceUpdate ?? 0) + 1; // its button "update the service"
    const update = `/v1.41/services/${service.ID}/update?version=${Version.Index}&registryAuthFrom=spec`;
    assert.equal((await api(host(0), 'POST', update, Spec)).status, 200);
    await converged(host(0), 'shown', 2, (task) => task.Spec.ForceUpdate === 1);
    await must(docker(host(0), 'cluster', 'service', 'rm', 'shown'));
    await must(docker(host(0), 'cluster', 'network', 'rm', 'public'));
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
