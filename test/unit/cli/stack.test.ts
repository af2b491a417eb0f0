import assert from 'node:assert/strict';
import { ApiFixture } from '../../helpers/api-fixture.js';
import { type CliResult, cli } from '../../helpers/cli.js';
import type { FakeDaemon } from '../../helpers/fake-daemon.js';
import { settled } from '../../helpers/manual-clock.js';

const compose = (services: string) => `
services: {${services}}
networks: {front: {}, back: {internal: true}}
secrets: {key: {file: key.txt}}
configs: {conf: {file: conf.txt}}
`;
const web = 'web: {image: "shop:1", networks: [front, back], secrets: [key], configs: [conf], deploy: {replicas: 2}}';

describe('a stack, in a cluster with the real API', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
    const engine = await api.addEngine();
    engine.handle = (request, response) => {
      const isList = request.url?.includes('/networks?') || request.url?.endsWith('/networks');
      response.writeHead(isList ? 200 : 404, { 'Content-Type': 'application/json' });
      response.end(isList ? '[]' : '{"message":"nothing here"}');
    };
  });
  afterEach(() => api.stop());

  const run = (args: string[], files: Record<string, string> = {}): Promise<CliResult> =>
    cli({ host: `unix://${api.socket}` } as FakeDaemon, ['stack', ...args], { files });
  const deploy = (services: string, ...args: string[]) =>
    run(['deploy', '-c', '/s/compose.yml', '--resolve-image=never', ...args, 'shop'], {
      '/s/compose.yml': compose(services),
      '/s/key.txt': 'secret',
      '/s/conf.txt': 'config',
    });
  const service = async (name: string) => (await api.call('GET', `/services/${name}`)).body;

  it('is made, with its networks, secrets and configs before its services', async () => {
    const { code, out, err } = await deploy(web);
    assert.deepEqual([code, err], [0, '']);
    assert.deepEqual(out.trim().split('\n'), [
      'Creating network shop_front',
      'Creating network shop_back',
      'Creating secret shop_key',
      'Creating config shop_conf',
      'Creating service shop_web',
    ]);
    const { Spec } = await service('shop_web');
    assert.equal(Spec.Labels['com.docker.stack.namespace'], 'shop');
    assert.equal(Spec.TaskTemplate.ContainerSpec.Secrets[0].SecretName, 'shop_key');
    assert.equal(Spec.TaskTemplate.Networks.length, 2);
  });

  it('is updated by what changed, keeps a forced update, and loses services only when told to', async () => {
    await deploy(`${web}, old: {image: "shop:1", networks: [back]}`);
    const { ID, Version, Spec } = await service('shop_web');
    const forced = { ...Spec, TaskTemplate: { ...Spec.TaskTemplate, ForceUpdate: 3 } };
    await api.call('POST', `/services/${ID}/update?version=${Version.Index}`, forced);
    const changed = await deploy(web.replace('replicas: 2', 'replicas: 5'));
    assert.equal(changed.code, 0, changed.err);
    assert.equal(changed.out, `Updating service shop_web (id: ${ID})\n`);
    const after = await service('shop_web');
    assert.deepEqual([after.Spec.Mode.Replicated.Replicas, after.Spec.TaskTemplate.ForceUpdate], [5, 3]);
    assert.equal((await run(['ls', '--format', '{{.Name}} {{.Services}}'])).out, 'shop 2\n');
    assert.match((await deploy(web, '--prune')).out, /^Removing service shop_old\nUpdating service shop_web/);
    assert.equal((await run(['ls', '--format', '{{.Name}} {{.Services}}'])).out, 'shop 1\n');
  });

  it('is refused for a secret whose content changed, as Docker does', async () => {
    await deploy(web);
    const { code, err } = await run(['deploy', '-c', '/s/compose.yml', '--resolve-image=never', 'shop'], {
      '/s/compose.yml': compose(web),
      '/s/key.txt': 'another',
      '/s/conf.txt': 'config',
    });
    assert.equal(code, 1);
    assert.match(err, /only updates to Labels are allowed/);
  });

  it('is shown by its services and tasks', async () => {
    await deploy(web);
    const { ID, Spec } = await service('shop_web');
    api.backend.addTask({
      ID: 'task1',
      ServiceID: ID,
      ServiceName: 'shop_web',
      ServiceLabels: Spec.Labels,
      Slot: 1,
      DesiredState: 'running',
      Spec: { ContainerSpec: { Image: 'shop:1' } },
      Status: { State: 'running', Timestamp: '2026-05-04T11:00:00Z' },
    });
    const listed = await run(['services', '--format', '{{.Name}} {{.Replicas}} {{.Image}}', 'shop']);
    assert.equal(listed.out, 'shop_web 0/2 shop:1\n');
    assert.match((await run(['ps', 'shop'])).out, /task1 +shop_web\.1 +shop:1 .* Running +Running 1?(about )?/i);
    assert.deepEqual((await run(['ps', 'none'])).err, 'nothing found in stack: none\n');
    const none = await run(['services', 'none']);
    assert.deepEqual([none.code, none.err], [0, 'Nothing found in stack: none\n']);
  });

  it('is removed, services first; a stack that is not there is no mistake', async () => {
    await deploy(web);
    const { code, out, err } = await run(['rm', 'shop', 'none']);
    assert.deepEqual([code, err], [0, 'Nothing found in stack: none\n']);
    assert.deepEqual(out.trim().split('\n'), [
      'Removing service shop_web',
      'Removing secret shop_key',
      'Removing config shop_conf',
      'Removing network shop_back',
      'Removing network shop_front',
    ]);
    assert.equal((await api.call('GET', '/secrets')).body.length, 0);
  });

  it('is removed with its networks once its last tasks have ended', async () => {
    await deploy(web);
    const { ID } = await service('shop_web');
    const Network = (await api.call('GET', '/networks/shop_back')).body.Id;
    api.backend.addTask({
      ID: 'last',
      ServiceID: ID,
      DesiredState: 'running',
      NetworksAttachments: [{ Network: { ID: Network } }],
    });
    const kept = await api.call('DELETE', '/networks/shop_back');
    assert.match(kept.body.message, /is in use by service/, 'a task that shall run keeps nobody waiting');
    let isDone = false;
    const removing = run(['rm', 'shop']).finally(() => {
      isDone = true;
    });
    while ((await api.call('GET', '/configs')).body.length > 0) await settled();
    for (let turn = 0; turn < 20; turn++) await settled();
    assert.equal(isDone, false);
    api.backend.commit({ Operations: [{ Action: 'remove', Kind: 'Task', ID: 'last' }] });
    const { code, err } = await removing;
    assert.deepEqual([code, err], [0, '']);
    assert.equal((await api.call('GET', '/networks/shop_back')).status, 404);
  });

  it('that cannot be removed whole says so, and goes on with the rest', async () => {
    await deploy(web);
    const secret = (await api.call('GET', '/secrets/shop_key')).body.ID;
    const file = { SecretID: secret, SecretName: 'shop_key', File: { Name: 'k', UID: '0', GID: '0', Mode: 292 } };
    const TaskTemplate = { ContainerSpec: { Image: 'x', Secrets: [file] } };
    await api.call('POST', '/services/create', { Name: 'outsider', TaskTemplate });
    const { code, err } = await run(['rm', 'shop']);
    assert.equal(code, 1);
    assert.match(err, /Failed to remove secret .* is in use by the following service: outsider/);
    assert.match(err, /Failed to remove some resources from stack: shop/);
    assert.equal((await api.call('GET', '/configs')).body.length, 0);
  });
});
