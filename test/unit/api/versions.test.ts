import assert from 'node:assert/strict';
import { ApiFixture, smallSpec } from '../../helpers/api-fixture.js';

/** What came into a spec with a version of the API: the field's path, and a value for it. */
const since: readonly (readonly [minor: number, path: string, value: unknown])[] = [
  [40, 'TaskTemplate.ContainerSpec.Sysctls', { 'net.core.somaxconn': '1024' }],
  [40, 'TaskTemplate.Placement.MaxReplicas', 3],
  [41, 'TaskTemplate.ContainerSpec.CapabilityAdd', ['CAP_NET_ADMIN']],
  [41, 'TaskTemplate.ContainerSpec.CapabilityDrop', ['ALL']],
  [41, 'TaskTemplate.ContainerSpec.Ulimits', [{ Name: 'nofile', Soft: 1, Hard: 2 }]],
  [41, 'TaskTemplate.Resources.Limits.Pids', 10],
  [41, 'Mode.ReplicatedJob.TotalCompletions', 2],
  [44, 'TaskTemplate.ContainerSpec.Healthcheck.StartInterval', 1_000_000_000],
  [44, 'TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges', true],
  [44, 'TaskTemplate.ContainerSpec.Privileges.Seccomp.Mode', 'unconfined'],
  [44, 'TaskTemplate.ContainerSpec.Privileges.AppArmor.Mode', 'disabled'],
  [46, 'TaskTemplate.ContainerSpec.OomScoreAdj', 5],
];

describe('older versions of the API', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
  });
  afterEach(() => api.stop());

  for (const [minor, path, value] of since) {
    it(`before 1.${minor} know nothing of ${path} in a service`, async () => {
      for (const spoken of [minor - 1, minor]) {
        const made = await api.call('POST', `/v1.${spoken}/services/create`, specWith(path, value));
        assert.equal(made.status, 201, made.text);
        const { Spec } = (await api.call('GET', `/services/${made.body.ID}`)).body;
        const kept = valueAt(Spec, path);
        if (spoken === minor) assert.deepEqual(kept, value);
        else assert.ok(kept === undefined || kept === 0 || kept === false, JSON.stringify(kept));
        await api.call('DELETE', `/services/${made.body.ID}`);
      }
    });
  }

  it('are answered in their own shapes', async () => {
    const engine = await api.addEngine();
    engine.handle = (_request, response) => void response.end('[]');
    const keys = async (method: string, path: string, body?: object) =>
      Object.keys((await api.call(method, path, body)).body).sort();
    assert.deepEqual(await keys('POST', '/v1.43/services/create', smallSpec('old')), ['ID']);
    assert.deepEqual(await keys('POST', '/v1.44/services/create', smallSpec('new')), ['ID', 'Warnings']);
    const [older] = (await api.call('GET', '/v1.40/services?status=1')).body;
    const [newer] = (await api.call('GET', '/v1.41/services?status=1')).body;
    assert.equal(older.ServiceStatus, undefined);
    assert.equal(newer.ServiceStatus.DesiredTasks, 1);
    const logs = async (minor: number) =>
      (await api.call('GET', `/v1.${minor}/services/old/logs?stdout=1`)).headers['content-type'];
    assert.equal(await logs(41), 'application/vnd.docker.raw-stream');
    assert.equal(await logs(42), 'application/vnd.docker.multiplexed-stream');
    await api.call('POST', '/networks/create', { Name: 'net', Driver: 'overlay' });
    const [network] = (await api.call('GET', '/v1.47/networks')).body;
    assert.equal(network.EnableIPv4, undefined, 'of 1.48');
  });
});

/** A spec with a value at a path. */
function specWith(path: string, value: unknown): object {
  const spec = smallSpec('web') as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop()!;
  let at = spec;
  for (const name of names) {
    at[name] ??= {};
    at = at[name] as Record<string, unknown>;
  }
  at[last] = value;
  return spec;
}

function valueAt(whole: unknown, path: string): unknown {
  return path.split('.').reduce((at, name) => (at as Record<string, unknown> | undefined)?.[name], whole);
}
