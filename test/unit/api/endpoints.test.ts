import assert from 'node:assert/strict';
import { type Answer, ApiFixture, smallSpec } from '../../helpers/api-fixture.js';
import { localNodeID } from '../../helpers/memory-backend.js';
import { operations } from '../../helpers/openapi.js';

/** One request to a cluster that `prepare` has set up, and what it is answered. */
interface Row {
  /** As Docker's description names it. */
  endpoint: string;
  /** What is put for `{id}`. */
  id?: string;
  query?: Record<string, string | object>;
  body?: object;
  headers?: Record<string, string>;
  status: number;
  /** Names (or ids) of the listed objects, in order. */
  names?: readonly string[];
  says?: RegExp;
  holds?(answer: Answer, api: ApiFixture): unknown;
  before?(api: ApiFixture): void;
}

const list = (endpoint: string, filters: object, ...names: string[]): Row => ({
  endpoint,
  query: { filters },
  status: 200,
  names,
});
const refused = (endpoint: string, filters: object, says: RegExp, status = 400): Row => ({
  endpoint,
  query: { filters },
  status,
  says,
});
const gone = (endpoint: string, more: Partial<Row> = {}): Row => ({
  endpoint,
  id: 'none',
  status: 404,
  says: /not found/,
  ...more,
});
const noManager = (endpoint: string, more: Partial<Row> = {}): Row => ({
  endpoint,
  status: 503,
  says: /^This node is not a swarm manager\. Worker nodes can't be used/,
  before: (api) => {
    api.backend.isManager = false;
  },
  ...more,
});
const noLeader = (endpoint: string, more: Partial<Row> = {}): Row => ({
  endpoint,
  status: 503,
  says: /leader/,
  before: (api) => {
    api.backend.hasLeader = false;
  },
  ...more,
});
const logQuery = { stdout: '1', stderr: '1' };
const nodeSpec = { Role: 'worker', Availability: 'active' };
const login = Buffer.from('{"username":"u"}').toString('base64');

const stored = (kind: 'secret' | 'config'): Row[] => [
  list(`GET /${kind}s`, {}, 'one', 'other'),
  list(`GET /${kind}s`, { name: ['o'] }, 'one', 'other'),
  list(`GET /${kind}s`, { name: ['one'] }, 'one'),
  list(`GET /${kind}s`, { names: ['one', 'on'] }, 'one'),
  list(`GET /${kind}s`, { id: [`${kind}1`] }, 'one'),
  list(`GET /${kind}s`, { label: ['a'] }, 'one'),
  list(`GET /${kind}s`, { label: ['a=c'] }),
  refused(`GET /${kind}s`, { color: ['x'] }, /^Invalid filter 'color'/),
  { endpoint: `POST /${kind}s/create`, body: { Name: 'one', Data: 'aGk=' }, status: 409, says: /already exists/ },
  { endpoint: `POST /${kind}s/create`, body: { Name: 'new', Data: 'aGk=' }, status: 201 },
  { endpoint: `GET /${kind}s/{id}`, id: 'one', status: 200 },
  gone(`GET /${kind}s/{id}`),
  { endpoint: `DELETE /${kind}s/{id}`, id: 'one', status: 204 },
  gone(`DELETE /${kind}s/{id}`),
  { endpoint: `POST /${kind}s/{id}/update`, id: 'one', query: { version: '$' }, body: { Name: 'one' }, status: 200 },
  {
    endpoint: `POST /${kind}s/{id}/update`,
    id: 'one',
    query: { version: '0' },
    body: { Name: 'one' },
    status: 500,
    says: /out of sequence/,
  },
  {
    endpoint: `POST /${kind}s/{id}/update`,
    id: 'one',
    query: { version: 'x' },
    body: { Name: 'one' },
    status: 400,
    says: new RegExp(`invalid ${kind} version 'x'`),
  },
  gone(`POST /${kind}s/{id}/update`, { query: { version: '1' }, body: { Name: 'one' } }),
  ...['GET /{}', 'POST /{}/create', 'GET /{}/{id}', 'DELETE /{}/{id}', 'POST /{}/{id}/update'].map((endpoint) =>
    noManager(endpoint.replace('{}', `${kind}s`), {
      id: 'one',
      body: { Name: 'x', Data: 'aGk=' },
      query: { version: '1' },
    }),
  ),
];

const rows: readonly Row[] = [
  list('GET /nodes', {}, localNodeID, 'worker'),
  list('GET /nodes', { id: ['work'] }, 'worker'),
  list('GET /nodes', { label: ['engine=e'] }, 'worker'),
  list('GET /nodes', { membership: ['accepted'] }, localNodeID, 'worker'),
  list('GET /nodes', { membership: ['pending'] }),
  list('GET /nodes', { name: ['node2'] }, 'worker'),
  list('GET /nodes', { 'node.label': ['zone=a'] }, 'worker'),
  list('GET /nodes', { 'node.label': ['zone=b'] }),
  list('GET /nodes', { role: ['worker'] }, 'worker'),
  refused('GET /nodes', { role: ['chief'] }, /Invalid role filter: 'chief'/),
  noManager('GET /nodes'),
  noLeader('GET /nodes'),
  { endpoint: 'GET /nodes/{id}', id: 'node2', status: 200 },
  gone('GET /nodes/{id}'),
  noManager('GET /nodes/{id}', { id: 'node2' }),
  {
    endpoint: 'DELETE /nodes/{id}',
    id: 'node2',
    query: { force: 'true' },
    status: 200,
    holds: (_answer, { backend }) => assert.deepEqual(backend.calls, [{ removeNode: 'worker', force: true }]),
  },
  {
    endpoint: 'DELETE /nodes/{id}',
    id: 'node2',
    query: { force: '0' },
    status: 200,
    holds: (_answer, { backend }) => assert.deepEqual(backend.calls, [{ removeNode: 'worker', force: false }]),
  },
  gone('DELETE /nodes/{id}'),
  noManager('DELETE /nodes/{id}', { id: 'node2' }),
  { endpoint: 'POST /nodes/{id}/update', id: 'worker', query: { version: '$' }, body: nodeSpec, status: 200 },
  {
    endpoint: 'POST /nodes/{id}/update',
    id: 'worker',
    query: { version: '0' },
    body: nodeSpec,
    status: 500,
    says: /^rpc error: code = Unknown desc = update out of sequence$/,
  },
  { endpoint: 'POST /nodes/{id}/update', id: 'worker', body: nodeSpec, status: 400, says: /invalid node version ''/ },
  gone('POST /nodes/{id}/update', { query: { version: '1' }, body: nodeSpec }),
  noManager('POST /nodes/{id}/update', { id: 'worker', query: { version: '1' }, body: nodeSpec }),

  { endpoint: 'GET /swarm', status: 200 },
  noManager('GET /swarm'),
  noLeader('GET /swarm'),
  { endpoint: 'POST /swarm/init', body: { ListenAddr: 'eth0' }, status: 503, says: /already part of a swarm/ },
  {
    endpoint: 'POST /swarm/init',
    body: { ListenAddr: '0.0.0.0:2377', Availability: 'asleep' },
    before: (api) => leave(api),
    status: 400,
    says: /invalid Availability/,
  },
  {
    endpoint: 'POST /swarm/join',
    body: { RemoteAddrs: ['10.0.0.1'], JoinToken: 'SWMTKN-1-a-b' },
    status: 503,
    says: /already part of a swarm/,
  },
  {
    endpoint: 'POST /swarm/join',
    body: { RemoteAddrs: [], JoinToken: 'SWMTKN-1-a-b' },
    before: (api) => leave(api),
    status: 400,
  },
  {
    endpoint: 'POST /swarm/join',
    body: {
      ListenAddr: '0.0.0.0:2377',
      RemoteAddrs: ['10.0.0.1'],
      JoinToken: `SWMTKN-1-${'0'.repeat(50)}-${'0'.repeat(25)}`,
    },
    before: (api) => leave(api),
    status: 200,
  },
  { endpoint: 'POST /swarm/leave', status: 503, says: /participating as a manager/ },
  { endpoint: 'POST /swarm/leave', query: { force: '1' }, status: 200 },
  { endpoint: 'POST /swarm/update', query: { version: '$' }, body: { Name: 'default' }, status: 200 },
  {
    endpoint: 'POST /swarm/update',
    query: { version: '0' },
    body: { Name: 'default' },
    status: 500,
    says: /out of sequence/,
  },
  { endpoint: 'POST /swarm/update', query: { version: 'x' }, body: {}, status: 400, says: /invalid swarm version 'x'/ },
  ...['rotateWorkerToken', 'rotateManagerToken', 'rotateManagerUnlockKey'].flatMap((name): Row[] => [
    {
      endpoint: 'POST /swarm/update',
      query: { version: '$', [name]: 'perhaps' },
      body: { Name: 'default' },
      status: 400,
      says: new RegExp(`invalid value for ${name}: perhaps`),
    },
    {
      endpoint: 'POST /swarm/update',
      query: { version: '$', [name]: 'true' },
      body: { Name: 'default' },
      ...(name === 'rotateManagerUnlockKey' ? { status: 400, says: /autolock is not turned on/ } : { status: 200 }),
    },
  ]),
  noManager('POST /swarm/update', { query: { version: '1' }, body: {} }),
  { endpoint: 'GET /swarm/unlockkey', status: 200, holds: ({ body }) => assert.deepEqual(body, { UnlockKey: '' }) },
  noManager('GET /swarm/unlockkey'),
  {
    endpoint: 'POST /swarm/unlock',
    body: { UnlockKey: 'x' },
    before: (api) => leave(api),
    status: 503,
    says: /not part of a swarm/,
  },
  { endpoint: 'POST /swarm/unlock', body: { UnlockKey: 'x' }, status: 409, says: /swarm is not locked/ },
  { endpoint: 'POST /swarm/unlock', body: { UnlockKey: 'x' }, before: (api) => lock(api), status: 200 },

  list('GET /services', {}, 'agent', 'job', 'web'),
  list('GET /services', { id: ['service1'] }, 'web'),
  list('GET /services', { label: ['tier=front'] }, 'web'),
  list('GET /services', { label: ['tier=back'] }),
  list('GET /services', { mode: ['global'] }, 'agent'),
  list('GET /services', { mode: ['replicated', 'replicated-job'] }, 'job', 'web'),
  list('GET /services', { name: ['w'] }, 'web'),
  list('GET /services', { runtime: ['plugin'] }),
  refused('GET /services', { color: ['x'] }, /^Invalid filter 'color'/),
  { endpoint: 'GET /services', query: { filters: '{' }, status: 400 },
  {
    endpoint: 'GET /services',
    query: { status: '1', filters: { name: ['web'] } },
    status: 200,
    holds: ({ body }) =>
      assert.deepEqual(body[0].ServiceStatus, { RunningTasks: 1, DesiredTasks: 1, CompletedTasks: 0 }),
  },
  noManager('GET /services'),
  noLeader('GET /services'),
  {
    endpoint: 'POST /services/create',
    body: smallSpec('new'),
    headers: { 'X-Registry-Auth': login },
    status: 201,
    holds: ({ body }, { backend }) => assert.equal(backend.view.get('Service', body.ID)?.RegistryAuth, login),
  },
  {
    endpoint: 'POST /services/create',
    body: smallSpec('web'),
    status: 409,
    says: /name conflicts with an existing object: service web already exists/,
  },
  { endpoint: 'POST /services/create', body: smallSpec('bad name'), status: 400, says: /name/ },
  {
    endpoint: 'POST /services/create',
    body: smallSpec('host', { TaskTemplate: { ContainerSpec: { Image: 'x' }, Networks: [{ Target: 'local' }] } }),
    status: 403,
    says: /^The network local cannot be used with services\. Only networks scoped to the swarm can be used/,
  },
  noManager('POST /services/create', { body: smallSpec('new') }),
  {
    endpoint: 'GET /services/{id}',
    id: 'web',
    status: 200,
    holds: ({ body }) => assert.equal(body.Spec.UpdateConfig, undefined),
  },
  {
    endpoint: 'GET /services/{id}',
    id: 'web',
    query: { insertDefaults: 'true' },
    status: 200,
    holds: ({ body }) => assert.equal(body.Spec.UpdateConfig.Order, 'stop-first'),
  },
  gone('GET /services/{id}'),
  noManager('GET /services/{id}', { id: 'web' }),
  { endpoint: 'DELETE /services/{id}', id: 'web', status: 200 },
  gone('DELETE /services/{id}'),
  noManager('DELETE /services/{id}', { id: 'web' }),
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '$' },
    body: smallSpec('web'),
    headers: { 'X-Registry-Auth': login },
    status: 200,
    holds: (_answer, { backend }) => assert.equal(backend.view.get('Service', 'service1')?.RegistryAuth, login),
  },
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '$', registryAuthFrom: 'spec' },
    body: smallSpec('web'),
    status: 200,
    holds: (_answer, { backend }) => assert.equal(backend.view.get('Service', 'service1')?.RegistryAuth, 'of the spec'),
  },
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '$', registryAuthFrom: 'elsewhere' },
    body: smallSpec('web'),
    status: 400,
    says: /registryAuthFrom/,
  },
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '$', rollback: 'sideways' },
    body: smallSpec('web'),
    status: 400,
    says: /unrecognized rollback option/,
  },
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '$', rollback: 'previous' },
    body: smallSpec('web'),
    status: 400,
    says: /does not have a previous spec/,
  },
  {
    endpoint: 'POST /services/{id}/update',
    id: 'web',
    query: { version: '0' },
    body: smallSpec('web'),
    status: 500,
    says: /^rpc error: code = Unknown desc = update out of sequence$/,
  },
  gone('POST /services/{id}/update', { query: { version: '1' }, body: smallSpec('web') }),
  noManager('POST /services/{id}/update', { id: 'web', query: { version: '1' }, body: smallSpec('web') }),

  ...['services', 'tasks'].flatMap((kind): Row[] => {
    const endpoint = `GET /${kind}/{id}/logs`;
    const id = kind === 'services' ? 'web' : 'task1';
    return [
      {
        endpoint,
        id,
        query: { ...logQuery, details: '1', timestamps: '1', since: '1.5', tail: '10', follow: '0' },
        status: 200,
      },
      { endpoint, id, query: {}, status: 400, says: /you must choose at least one stream/ },
      {
        endpoint,
        id,
        query: { ...logQuery, tail: 'some' },
        status: 400,
        says: /tail value must be a positive integer or "all"/,
      },
      { endpoint, id, query: { ...logQuery, since: 'then' }, status: 400, says: /since/ },
      gone(endpoint, { query: logQuery }),
      noManager(endpoint, { id, query: logQuery }),
    ];
  }),

  list('GET /tasks', {}, 'alone', 'task1', 'task2'),
  list('GET /tasks', { 'desired-state': ['shutdown'] }, 'task2'),
  list('GET /tasks', { id: ['task'] }, 'task1', 'task2'),
  list('GET /tasks', { label: ['tier=front'] }, 'task1'),
  list('GET /tasks', { name: ['web.1'] }, 'task1', 'task2'),
  list('GET /tasks', { node: ['node2'] }, 'alone', 'task2'),
  list('GET /tasks', { service: ['web'] }, 'task1', 'task2'),
  list('GET /tasks', { service: ['web'], node: ['node2'] }, 'task2'),
  refused('GET /tasks', { service: ['none'] }, /service none not found/, 404),
  refused('GET /tasks', { 'desired-state': ['odd'] }, /Invalid desired-state filter: 'odd'/),
  noManager('GET /tasks'),
  noLeader('GET /tasks'),
  { endpoint: 'GET /tasks/{id}', id: 'task1', status: 200 },
  gone('GET /tasks/{id}'),
  noManager('GET /tasks/{id}', { id: 'task1' }),

  ...stored('secret'),
  ...stored('config'),

  list('GET /networks', { dangling: ['true'] }, 'free'),
  list('GET /networks', { driver: ['overlay'] }, 'free', 'used'),
  list('GET /networks', { id: ['network1'] }, 'used'),
  list('GET /networks', { label: ['a=b'] }, 'used'),
  list('GET /networks', { name: ['us'] }, 'used'),
  list('GET /networks', { scope: ['swarm'] }, 'free', 'used'),
  list('GET /networks', { type: ['custom'] }, 'free', 'used'),
  list('GET /networks', { type: ['builtin'] }),
  {
    endpoint: 'GET /networks/{id}',
    id: 'used',
    query: { scope: 'swarm' },
    status: 200,
    holds: ({ body }) => assert.equal(body.Scope, 'swarm'),
  },
  { endpoint: 'GET /networks/{id}', id: 'used', query: { scope: 'local' }, status: 404 },
  {
    endpoint: 'GET /networks/{id}',
    id: 'used',
    query: { verbose: '1' },
    status: 200,
    holds: ({ body }) => assert.deepEqual(body.Services, {}),
  },
  {
    endpoint: 'GET /networks/{id}',
    id: 'host',
    query: { scope: 'swarm' },
    status: 200,
    holds: ({ body }) => assert.deepEqual([body.Id, body.Scope], ['host', 'swarm']),
  },
  { endpoint: 'GET /networks/{id}', id: 'none', status: 404 },
  { endpoint: 'DELETE /networks/{id}', id: 'free', status: 204 },
  {
    endpoint: 'DELETE /networks/{id}',
    id: 'used',
    status: 400,
    says: /network network1 is in use by service service1/,
  },
  { endpoint: 'DELETE /networks/{id}', id: 'none', status: 404 },
  { endpoint: 'POST /networks/create', body: { Name: 'new', Driver: 'overlay' }, status: 201 },
  {
    endpoint: 'POST /networks/create',
    body: { Name: 'used', Driver: 'overlay' },
    status: 409,
    says: /network with name used already exists/,
  },
  { endpoint: 'POST /networks/create', body: { Name: 'bad name', Driver: 'overlay' }, status: 400 },
  {
    endpoint: 'POST /networks/create',
    body: { Name: 'over', Driver: 'overlay', IPAM: { Config: [{ Subnet: '10.9.0.0/24' }] } },
    status: 403,
  },
  {
    endpoint: 'POST /networks/prune',
    query: { filters: { label: ['nothing'], 'label!': ['x'], until: ['1h'] } },
    status: 200,
  },
  {
    endpoint: 'POST /networks/prune',
    query: { filters: { color: ['x'] } },
    status: 400,
    says: /Invalid filter 'color'/,
  },
];

/** What the description lists and is not to be met here, or not with us. */
const unmet: readonly (readonly [RegExp, string])[] = [
  [/^(?!POST .*update).* 500$/, 'a fault of the server itself; a request of this kind gives none'],
  [/^GET \/swarm 404$/, 'Docker itself answers 503 outside of a swarm'],
  [/^POST \/networks\/\{id\}\/(dis)?connect /, 'the engine’s own: test/integration'],
  [/^POST \/networks\/create 404$/, 'of plugins: the engine’s own'],
  [/^DELETE \/networks\/\{id\} 403$/, 'of predefined networks: the engine’s own'],
  [/^POST \/swarm\/init 200$/, 'test/unit/api/swarm.test.ts: here is a cluster already'],
];

describe('every endpoint of a cluster', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    await prepare(api);
  });
  afterEach(() => api.stop());

  for (const row of rows) {
    const asked = `${row.endpoint}${row.query ? ` ${JSON.stringify(row.query)}` : ''}`;
    it(`${asked}: ${row.status}${row.names ? ` ${row.names.join()}` : ''}${row.says ? ` ${row.says.source}` : ''}`, async () => {
      const answer = await requested(api, row);
      assert.equal(answer.status, row.status, answer.text);
      if (row.status >= 400) assert.notEqual(answer.body.message, '');
      if (row.says) assert.match(answer.body.message, row.says);
      if (row.names) assert.deepEqual(answer.body.map(nameOf).sort(), row.names);
      await row.holds?.(answer, api);
    });
  }

  it('has a row here for each of its parameters and each of its answers', () => {
    const missing: string[] = [];
    for (const { method, path, operation } of operations) {
      const endpoint = `${method} ${path}`;
      const own = rows.filter((row) => row.endpoint === endpoint);
      for (const { name, in: place } of operation.parameters ?? []) {
        if (place === 'path' || place === 'body') continue;
        if (!own.some((row) => name in { ...row.query, ...row.headers })) missing.push(`${endpoint} ${name}`);
      }
      for (const status of Object.keys(operation.responses)) {
        const what = `${endpoint} ${status}`;
        if (!own.some((row) => String(row.status) === status) && !unmet.some(([one]) => one.test(what)))
          missing.push(what);
      }
    }
    assert.deepEqual(missing, []);
  });
});

async function requested(api: ApiFixture, row: Row): Promise<Answer> {
  const [method = '', pattern = ''] = row.endpoint.split(' ');
  const path = pattern.replace('{id}', row.id ?? '');
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(row.query ?? {})) {
    // `$` stands for the version that the object has.
    const text = value === '$' ? String(await versionOf(api, path.replace(/\/update$/, ''))) : value;
    query.set(name, typeof text === 'string' ? text : JSON.stringify(text));
  }
  row.before?.(api);
  return api.call(method, `${path}?${query}`, method === 'POST' ? row.body : undefined, row.headers);
}

async function versionOf(api: ApiFixture, path: string): Promise<number> {
  return (await api.call('GET', path)).body.Version.Index;
}

function nameOf(one: { ID?: string; Name?: string; Spec?: { Name?: string } }): string {
  return one.Spec?.Name || one.Name || one.ID || '';
}

function leave(api: ApiFixture): void {
  api.backend.isManager = false;
  api.backend.state = 'inactive';
}

function lock(api: ApiFixture): void {
  api.backend.isManager = false;
  api.backend.state = 'locked';
}

/** A cluster with some of everything. */
async function prepare(api: ApiFixture): Promise<void> {
  const engine = await api.addEngine();
  engine.handle = (request, response) => {
    const url = request.url ?? '';
    if (url === '/networks/local') return void response.end('{"Name":"local","Scope":"local"}\n');
    const isOne = /\/networks\/.|\/containers\//.test(url) && !url.includes('prune');
    response.writeHead(isOne ? 404 : 200, { 'Content-Type': 'application/json' });
    response.end(isOne ? '{"message":"network none not found"}\n' : request.method === 'GET' ? '[]\n' : '{}\n');
  };
  const { backend } = api;
  backend.found().addNode(
    {
      ID: 'worker',
      Spec: { Role: 'worker', Availability: 'active', Labels: { zone: 'a' } },
      Description: { Hostname: 'node2', Engine: { Labels: { engine: 'e' } } },
    },
    'node2',
  );
  const TaskTemplate = { ContainerSpec: { Image: 'x' } };
  const network = (ID: string, Name: string, Subnet: string, Labels = {}) => ({
    Action: 'create' as const,
    Network: {
      ID,
      Spec: { Name, Labels },
      IPAMOptions: { Configs: [{ Subnet, Gateway: Subnet.replace('0/24', '1') }] },
    },
  });
  backend.commit({
    Operations: [
      network('network1', 'used', '10.9.0.0/24', { a: 'b' }),
      network('network2', 'free', '10.9.1.0/24'),
      {
        Action: 'create',
        Secret: { ID: 'secret1', Spec: { Name: 'one', Labels: { a: 'b' }, Data: Buffer.from('x') } },
      },
      { Action: 'create', Secret: { ID: 'secret2', Spec: { Name: 'other', Data: Buffer.from('x') } } },
      {
        Action: 'create',
        Config: { ID: 'config1', Spec: { Name: 'one', Labels: { a: 'b' }, Data: Buffer.from('x') } },
      },
      { Action: 'create', Config: { ID: 'config2', Spec: { Name: 'other', Data: Buffer.from('x') } } },
      {
        Action: 'create',
        Service: {
          ID: 'service1',
          RegistryAuth: 'of the spec',
          Spec: {
            Name: 'web',
            Labels: { tier: 'front' },
            TaskTemplate: { ...TaskTemplate, Networks: [{ Target: 'network1' }] },
            Mode: { Replicated: { Replicas: 1 } },
          },
        },
      },
      { Action: 'create', Service: { ID: 'service2', Spec: { Name: 'agent', TaskTemplate, Mode: { Global: {} } } } },
      {
        Action: 'create',
        Service: { ID: 'service3', Spec: { Name: 'job', TaskTemplate, Mode: { ReplicatedJob: {} } } },
      },
    ],
  });
  const task = { ServiceID: 'service1', ServiceName: 'web', Slot: 1, Spec: TaskTemplate };
  backend
    .addTask({
      ...task,
      ID: 'task1',
      NodeID: localNodeID,
      DesiredState: 'running',
      ServiceLabels: { tier: 'front' },
      Status: { State: 'running' },
    })
    .addTask({ ...task, ID: 'task2', NodeID: 'worker', DesiredState: 'shutdown', Status: { State: 'shutdown' } })
    .addTask({
      ID: 'alone',
      ServiceID: 'gone',
      NodeID: 'worker',
      DesiredState: 'running',
      Status: { State: 'running' },
    });
}
