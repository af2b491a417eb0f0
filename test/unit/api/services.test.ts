import assert from 'node:assert/strict';
import { ApiFixture, smallSpec } from '../../helpers/api-fixture.js';

const filters = (value: unknown) => encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value));

describe('the services endpoint', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
  });
  afterEach(() => api.stop());

  const create = async (spec: object): Promise<string> => {
    const { status, body } = await api.call('POST', '/v1.47/services/create', spec);
    assert.equal(status, 201, JSON.stringify(body));
    return body.ID;
  };
  const versionOf = async (id: string) => (await api.call('GET', `/services/${id}`)).body.Version.Index;

  it('creates a service and shows it in Docker’s shape', async () => {
    const { status, body, headers } = await api.call('POST', '/v1.41/services/create', smallSpec('web'));
    assert.equal(status, 201);
    assert.deepEqual(Object.keys(body), ['ID']);
    assert.match(body.ID, /^[0-9a-z]{25}$/);
    assert.equal(headers['api-version'], '1.47');
    const shown = (await api.call('GET', `/v1.41/services/${body.ID}`)).body;
    assert.deepEqual(Object.keys(shown), ['ID', 'Version', 'CreatedAt', 'UpdatedAt', 'Spec', 'Endpoint']);
    assert.deepEqual(shown.Endpoint, { Spec: {} });
    assert.deepEqual(shown.Spec.Mode, { Replicated: { Replicas: 1 } });
    const full = (await api.call('GET', `/services/${body.ID}?insertDefaults=true`)).body;
    assert.equal(full.Spec.TaskTemplate.RestartPolicy.Condition, 'any');
  });

  it('gives a service without a name one of its own', async () => {
    const id = await create(smallSpec(''));
    assert.match((await api.call('GET', `/services/${id}`)).body.Spec.Name, /^[a-z]+_[a-z]+$/);
  });

  it('finds a service by id, by name, and by the beginning of its id', async () => {
    const id = await create(smallSpec('web'));
    for (const reference of [id, 'web', id.slice(0, 8)]) {
      assert.equal((await api.call('GET', `/services/${reference}`)).body.ID, id);
    }
    const { status, body } = await api.call('GET', '/services/nope');
    assert.deepEqual([status, body], [404, { message: 'service nope not found' }]);
  });

  it('says that the beginning of an id is not enough', async () => {
    for (const ID of ['abc1', 'abc2']) {
      api.backend.commit({
        Operations: [{ Action: 'create', Service: { ID, Spec: smallSpec(ID.replace('abc', 's')) } }],
      });
    }
    const { status, body } = await api.call('GET', '/services/abc');
    assert.deepEqual([status, body], [400, { message: 'service abc is ambiguous (2 matches found)' }]);
  });

  it('refuses a name that is taken with Docker’s 409', async () => {
    await create(smallSpec('web'));
    const { status, body } = await api.call('POST', '/services/create', smallSpec('web'));
    assert.equal(status, 409);
    assert.equal(
      body.message,
      'rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists',
    );
  });

  it('names the field that is wrong', async () => {
    const wrong = smallSpec('a', { Mode: { Replicated: { Replicas: 4_000_000 } } });
    const { status, body } = await api.call('POST', '/services/create', wrong);
    assert.equal(status, 400);
    assert.equal(body.message, 'Spec.Mode.Replicated.Replicas: 4000000 is above the limit of 100000 tasks a service');
  });

  it('refuses a template that cannot be filled in, with the field and Go’s words', async () => {
    const env = (...Env: string[]) =>
      smallSpec('a', { Labels: { tier: 'x' }, TaskTemplate: { ContainerSpec: { Image: 'i', Env } } });
    const create = async (spec: object) => (await api.call('POST', '/services/create', spec)).status;
    assert.equal(await create(env('A={{.Service.Labels.tier}}{{.Task.Slot}}{{.Node.Platform.OS}}')), 201);
    const { status, body } = await api.call('POST', '/services/create', { ...env('B={{.Service.X}}'), Name: 'b' });
    assert.equal(status, 400);
    assert.match(
      body.message,
      /^expanding env failed: expanding env "B=.*: template: expansion:1:.* \(.*ContainerSpec\.Env\[0\]\)$/,
    );
    const update = await api.call('POST', `/services/a/update?version=${await versionOf('a')}`, env('{{', 'C={{'));
    assert.deepEqual([update.status, /Env\[1\]/.test(update.body.message)], [400, true]);
  });

  it('says what a request would do when asked for a dry run, and changes nothing', async () => {
    const index = () => api.backend.view.index;
    const env = (...Env: string[]) => ({ TaskTemplate: { ContainerSpec: { Image: 'lab/bb', Env } } });
    const before = index();
    const created = await api.call('POST', '/services/create?dryRun=true', smallSpec('web', env('A=1', 'B=1')));
    assert.equal(created.status, 200);
    assert.deepEqual(
      created.body.Tasks.map((task: { Action: string; ToNode: string }) => [task.Action, task.ToNode]),
      [['start', 'node1']],
    );
    assert.equal(index(), before);

    const id = await create(smallSpec('web', env('A=1', 'B=1')));
    const version = await versionOf(id);
    const at = index();
    const spec = smallSpec('web', {
      ...env('A=2', 'C=1'),
      Labels: { 'a.b': 'c' },
      Mode: { Replicated: { Replicas: 2 } },
      UpdateConfig: { Parallelism: 1 },
    });
    const updated = await api.call('POST', `/services/web/update?version=${version}&dryRun=1`, spec);
    assert.deepEqual(updated.body.Changes, [
      { Field: 'Labels["a.b"]', Before: '', After: '"c"' },
      { Field: 'TaskTemplate.ContainerSpec.Env', Before: '"A=1"', After: '"A=2"' },
      { Field: 'TaskTemplate.ContainerSpec.Env', Before: '"B=1"', After: '' },
      { Field: 'TaskTemplate.ContainerSpec.Env', Before: '', After: '"C=1"' },
      { Field: 'Mode.Replicated.Replicas', Before: '1', After: '2' },
    ]);
    assert.equal(updated.body.Tasks.length, 2);
    const removed = await api.call('DELETE', '/services/web?dryRun=true');
    assert.deepEqual([removed.status, removed.body.Tasks], [200, []]);
    const rolled = await api.call('POST', `/services/web/update?version=${version}&rollback=previous&dryRun=1`, spec);
    assert.match(rolled.body.message, /does not have a previous spec/);
    assert.equal((await api.call('POST', '/services/create?dryRun=1', smallSpec('web'))).status, 409);
    const node = (await api.call('GET', '/nodes')).body[0];
    const drained = { ...node.Spec, Availability: 'drain' };
    const drain = await api.call('POST', `/nodes/${node.ID}/update?version=${node.Version.Index}&dryRun=1`, drained);
    assert.deepEqual(drain.body.Changes, [{ Field: 'Availability', Before: '"active"', After: '"drain"' }]);
    assert.equal(index(), at);
  });

  it('does nothing that cannot be foreseen when it is asked for a dry run', async () => {
    const secret = { Name: 'key', Data: 'aGk=' };
    for (const [method, path, body] of [
      ['POST', '/secrets/create', secret],
      ['DELETE', '/nodes/node1', undefined],
      ['POST', '/swarm/leave', undefined],
      ['POST', '/containers/create', { Image: 'lab/bb' }],
    ] as const) {
      const { status, body: answer } = await api.call(method, `${path}?dryRun=true`, body);
      assert.equal(status, 400, path);
      assert.match(answer.message, new RegExp(`^dryRun: ${method} ${path} cannot be asked what it would do`));
    }
    assert.equal((await api.call('POST', '/secrets/create?dryRun=false', secret)).status, 201);
    assert.equal((await api.call('GET', '/nodes?dryRun=true')).status, 200);
  });

  it('lists with filters in both of Docker’s forms', async () => {
    await create(smallSpec('web', { Labels: { tier: 'front' } }));
    await create(smallSpec('web2', { Mode: { Global: {} } }));
    await create(smallSpec('db', { Labels: { tier: 'back', x: '' } }));
    const names = async (value: unknown) => {
      const { status, body } = await api.call('GET', `/services?filters=${filters(value)}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body.map((one: { Spec: { Name: string } }) => one.Spec.Name).sort();
    };
    assert.deepEqual(await names({}), ['db', 'web', 'web2']);
    assert.deepEqual(await names({ name: ['web'] }), ['web', 'web2']);
    assert.deepEqual(await names({ name: { web2: true, d: true } }), ['db', 'web2']);
    assert.deepEqual(await names({ label: ['tier'] }), ['db', 'web']);
    assert.deepEqual(await names({ label: ['tier=back', 'x'] }), ['db']);
    assert.deepEqual(await names({ mode: ['global'] }), ['web2']);
    assert.deepEqual(await names({ mode: ['x'] }), []);
    for (const bad of [{ foo: ['x'] }, 'xx', [], '""', { name: 3 }, { name: { a: 3 } }, { name: [1] }]) {
      const { status, body } = await api.call('GET', `/services?filters=${filters(bad)}`);
      assert.equal(status, 400, JSON.stringify(bad));
      assert.match(body.message, /[Ii]nvalid filter/);
    }
  });

  it('counts what runs, when asked for the status', async () => {
    const id = await create(smallSpec('web', { Mode: { Replicated: { Replicas: 3 } } }));
    api.backend.addNode({ ID: 'gone', Status: { State: 'down' } }, 'node2');
    const task = (ID: string, NodeID: string, State: string) =>
      api.backend.addTask({ ID, ServiceID: id, NodeID, DesiredState: 'running', Status: { State } });
    task('t1', 'local0000000000000000node', 'running');
    task('t2', 'gone', 'running');
    task('t3', 'local0000000000000000node', 'starting');
    const status = async (query: string) => (await api.call('GET', `/v1.47/services${query}`)).body[0].ServiceStatus;
    assert.deepEqual(await status('?status=true'), { RunningTasks: 1, DesiredTasks: 3, CompletedTasks: 0 });
    assert.equal(await status(''), undefined);
    const old = (await api.call('GET', '/v1.40/services?status=true')).body[0];
    assert.equal(old.ServiceStatus, undefined);
  });

  it('has among the tasks of a node what of a global service waits for it, as Docker does', async () => {
    const ServiceID = await create(smallSpec('all', { Mode: { Global: {} } }));
    api.backend.addNode({ ID: 'full' }, 'node2');
    api.backend.addTask({
      ID: 't1',
      ServiceID,
      OnlyNodeID: 'full',
      DesiredState: 'running',
      Status: { State: 'pending' },
    });
    for (const wanted of [{ node: ['node2'] }, { node: ['node2'], service: ['all'] }]) {
      const { body } = await api.call('GET', `/tasks?filters=${filters(wanted)}`);
      assert.deepEqual([body.length, body[0]?.ID, body[0]?.NodeID], [1, 't1', 'full']);
    }
  });

  it('counts as desired of a global job what has not completed, as Docker does', async () => {
    const id = await create(smallSpec('job', { Mode: { GlobalJob: {} } }));
    for (const [ID, State] of Object.entries({ t1: 'complete', t2: 'complete', t3: 'running' })) {
      const NodeID = 'local0000000000000000node';
      api.backend.addTask({ ID, ServiceID: id, NodeID, JobIteration: {}, DesiredState: 'complete', Status: { State } });
    }
    const { body } = await api.call('GET', '/services?status=true');
    assert.deepEqual(body[0].ServiceStatus, { RunningTasks: 1, DesiredTasks: 1, CompletedTasks: 2 });
  });

  it('updates what is at the version given, and keeps the spec before', async () => {
    const id = await create(smallSpec('web'));
    const version = await versionOf(id);
    const scaled = smallSpec('web', { Mode: { Replicated: { Replicas: 9 } } });
    const { status, body } = await api.call('POST', `/services/web/update?version=${version}`, scaled);
    assert.deepEqual([status, body], [200, { Warnings: null }]);
    const shown = (await api.call('GET', '/services/web')).body;
    assert.equal(shown.Spec.Mode.Replicated.Replicas, 9);
    assert.equal(shown.PreviousSpec.Mode.Replicated.Replicas, 1);
    const late = await api.call('POST', `/services/web/update?version=${version}`, scaled);
    assert.equal(late.status, 500);
    assert.match(late.body.message, /^rpc error: code = Unknown desc = update out of sequence/);
    assert.notEqual(shown.Version.Index, version);
  });

  it('refuses an update that two clients made at once from the same version', async () => {
    await create(smallSpec('web'));
    const version = await versionOf('web');
    api.backend.beforePropose = () => {
      api.backend.beforePropose = undefined;
      const { ...service } = api.backend.view.byName('Service', 'web')!;
      api.backend.commit({ Operations: [{ Action: 'update', ID: service.ID, Service: service }] });
    };
    const { status, body } = await api.call('POST', `/services/web/update?version=${version}`, smallSpec('web'));
    assert.equal(status, 500);
    assert.match(body.message, /update out of sequence/);
  });

  it('refuses an update without a version, of another name, or of another mode', async () => {
    await create(smallSpec('web'));
    const update = (query: string, spec: object) => api.call('POST', `/services/web/update${query}`, spec);
    for (const text of ['', 'x', '-1', '1.5', '99999999999999999999']) {
      const { status, body } = await update(`?version=${text}`, smallSpec('web'));
      assert.equal(status, 400);
      assert.match(body.message, new RegExp(`^invalid service version '${text}'`));
    }
    const at = `?version=${await versionOf('web')}`;
    const renamed = await update(at, smallSpec('other'));
    assert.deepEqual([renamed.status, /renaming services is not supported/.test(renamed.body.message)], [501, true]);
    const global = await update(at, smallSpec('web', { Mode: { Global: {} } }));
    assert.deepEqual([global.status, /service mode change is not allowed/.test(global.body.message)], [501, true]);
    const missing = await api.call('POST', '/services/nope/update?version=1', smallSpec('nope'));
    assert.deepEqual([missing.status, missing.body.message], [404, 'service nope not found']);
  });

  it('rolls back to the spec before, whatever the body says', async () => {
    await create(smallSpec('web'));
    const update = async (query: string, spec: object) =>
      api.call('POST', `/services/web/update?version=${await versionOf('web')}${query}`, spec);
    const early = await update('&rollback=previous', smallSpec('web'));
    assert.equal(early.status, 400);
    assert.match(early.body.message, /does not have a previous spec/);
    await update('', smallSpec('web', { Mode: { Replicated: { Replicas: 5 } } }));
    assert.equal((await update('&rollback=previous', smallSpec('web'))).status, 200);
    const shown = (await api.call('GET', '/services/web')).body;
    assert.equal(shown.Spec.Mode.Replicated.Replicas, 1);
    assert.equal(shown.PreviousSpec.Mode.Replicated.Replicas, 5);
    assert.equal(shown.UpdateStatus.State, 'rollback_started');
    assert.equal((await update('&rollback=next', smallSpec('web'))).status, 400);
  });

  it('runs a job anew when it is rolled back, as on every update', async () => {
    const job = (TotalCompletions: number) =>
      smallSpec('job', { Mode: { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions } } });
    await create(job(1));
    const update = async (query: string, spec: object) =>
      api.call('POST', `/services/job/update?version=${await versionOf('job')}${query}`, spec);
    await update('', job(2));
    assert.equal((await update('&rollback=previous', job(1))).status, 200);
    const shown = (await api.call('GET', '/services/job')).body;
    assert.equal(shown.Spec.Mode.ReplicatedJob.TotalCompletions, 1);
    assert.equal(shown.JobStatus.JobIteration.Index, 2);
    assert.equal(shown.UpdateStatus, undefined);
  });

  it('removes a service', async () => {
    await create(smallSpec('web'));
    assert.equal((await api.call('DELETE', '/services/web')).status, 200);
    assert.equal((await api.call('DELETE', '/services/web')).status, 404);
    assert.deepEqual((await api.call('GET', '/services')).body, []);
  });

  it('holds a service to secrets and configs that there are, also when they change as it comes', async () => {
    const spec = (SecretID: string) =>
      smallSpec('web', {
        TaskTemplate: {
          ContainerSpec: { Image: 'x', Secrets: [{ SecretID, SecretName: 'key', File: { Name: 'key' } }] },
        },
      });
    const missing = await api.call('POST', '/services/create', spec('nope'));
    assert.deepEqual([missing.status, missing.body.message], [400, 'secret not found: key']);
    const secret = (await api.call('POST', '/secrets/create', { Name: 'key', Data: 'aGk=' })).body.ID;
    let changes = 0;
    api.backend.beforePropose = () => {
      if (changes++ > 0) return;
      const { ...object } = api.backend.view.get('Secret', secret)!;
      api.backend.commit({ Operations: [{ Action: 'update', ID: secret, Secret: object }] });
    };
    assert.equal((await api.call('POST', '/services/create', spec(secret))).status, 201);
    assert.equal(changes, 1, 'a change of its labels is no reason to refuse');
    const refused = await api.call('DELETE', '/secrets/key');
    assert.equal(refused.status, 400);
    assert.match(refused.body.message, /secret 'key' is in use by the following service: web$/);
    api.backend.beforePropose = undefined;
    await api.call('DELETE', '/services/web');
    assert.equal((await api.call('DELETE', '/secrets/key')).status, 204);
  });

  it('never keeps a service whose secret went away on its way', async () => {
    const secret = (await api.call('POST', '/secrets/create', { Name: 'key', Data: 'aGk=' })).body.ID;
    api.backend.beforePropose = () => {
      api.backend.beforePropose = undefined;
      api.backend.commit({ Operations: [{ Action: 'remove', Kind: 'Secret', ID: secret }] });
    };
    const container = { Image: 'x', Secrets: [{ SecretID: secret, SecretName: 'key', File: { Name: 'key' } }] };
    const { status, body } = await api.call('POST', '/services/create', {
      Name: 'w',
      TaskTemplate: { ContainerSpec: container },
    });
    assert.deepEqual([status, body.message], [400, 'secret not found: key']);
    assert.equal(api.backend.view.count('Service'), 0);
  });

  for (const kind of ['Secret', 'Config'] as const) {
    it(`keeps a ${kind.toLowerCase()} whose service came while it was being removed`, async () => {
      const path = `/${kind.toLowerCase()}s`;
      const id = (await api.call('POST', `${path}/create`, { Name: 'key', Data: 'aGk=' })).body.ID;
      const reference = { [`${kind}ID`]: id, [`${kind}Name`]: 'key', File: { Name: 'key' } };
      api.backend.beforePropose = () => {
        api.backend.beforePropose = undefined;
        const TaskTemplate = { ContainerSpec: { Image: 'x', [`${kind}s`]: [reference] } };
        api.backend.commit({
          Operations: [{ Action: 'create', Service: { ID: 'late', Spec: { Name: 'late', TaskTemplate } } }],
        });
      };
      const { status, body } = await api.call('DELETE', `${path}/${id}`);
      assert.equal(status, 400);
      assert.equal(
        body.message,
        `rpc error: code = InvalidArgument desc = ${kind.toLowerCase()} 'key' is in use by the following service: late`,
      );
      assert.equal((await api.call('GET', `${path}/key`)).status, 200);
    });
  }

  it('keeps the login that nodes pull with, of each spec, and never shows it', async () => {
    const login = (password: string) => Buffer.from(JSON.stringify({ username: 'u', password })).toString('base64url');
    const kept = () => {
      const { RegistryAuth, PreviousRegistryAuth } = api.backend.view.byName('Service', 'web')!;
      return [RegistryAuth, PreviousRegistryAuth];
    };
    const update = async (query: string, headers = {}) => {
      const version = (await api.call('GET', '/services/web')).body.Version.Index;
      const path = `/services/web/update?version=${version}${query}`;
      return api.call('POST', path, smallSpec('web'), headers);
    };
    const [one, two] = [login('one'), login('two')];
    await api.call('POST', '/services/create', smallSpec('web'), { 'X-Registry-Auth': one });
    assert.deepEqual(kept(), [one, '']);
    await update('');
    assert.deepEqual(kept(), [one, one]);
    await update('', { 'X-Registry-Auth': two });
    assert.deepEqual(kept(), [two, one]);
    await update('&registryAuthFrom=previous-spec');
    assert.deepEqual(kept(), [one, two]);
    await update('&rollback=previous');
    assert.deepEqual(kept(), [two, one]);
    for (const nonsense of ['bnVsbA==', 'e30=', '{}', 'x', 'W10=']) {
      await update('&registryAuthFrom=spec', { 'X-Registry-Auth': nonsense });
      assert.equal(kept()[0], two, nonsense);
    }
    const refused = await update('&registryAuthFrom=nowhere');
    assert.deepEqual([refused.status, refused.body.message], [400, 'unsupported registryAuthFrom value (nowhere)']);
    const shown = (await api.call('GET', '/services/web')).text + (await api.call('GET', '/services')).text;
    assert.ok(!shown.includes(one) && !shown.includes(two) && !shown.includes('RegistryAuth'));
  });

  it('refuses a network that there is not, and leaves predefined ones as they are', async () => {
    const spec = (Target: string) =>
      smallSpec('web', { TaskTemplate: { ContainerSpec: { Image: 'x' }, Networks: [{ Target }] } });
    const { status, body } = await api.call('POST', '/services/create', spec('nope'));
    assert.deepEqual([status, body.message], [404, 'network nope not found']);
    await create(spec('host'));
    assert.equal((await api.call('GET', '/services/web')).body.Spec.TaskTemplate.Networks[0].Target, 'host');
  });

  it('counts the runs of a job', async () => {
    await create(smallSpec('job', { Mode: { ReplicatedJob: {} } }));
    const job = async () => (await api.call('GET', '/services/job')).body;
    assert.deepEqual((await job()).JobStatus.JobIteration, { Index: 0 });
    const version = (await job()).Version.Index;
    await api.call(
      'POST',
      `/services/job/update?version=${version}`,
      smallSpec('job', { Mode: { ReplicatedJob: {} } }),
    );
    assert.deepEqual((await job()).JobStatus.JobIteration, { Index: 1 });
  });
});
