import assert from 'node:assert/strict';
import { splitWords } from '../../../src/cli/service/words.js';
import { type CliWorld, cli, now_ms } from '../../helpers/cli.js';
import { type Answer, type FakeDaemon, Refusal, startFakeDaemon } from '../../helpers/fake-daemon.js';

const before = (seconds: number) => new Date(now_ms - seconds * 1000).toISOString();
const node = (at: number, more: { Spec?: object; Status?: object; ManagerStatus?: object } = {}) => ({
  ID: `node${at}abcdefghijklmnopqrst`.slice(0, 24),
  Version: { Index: 9 },
  CreatedAt: '2024-01-02T03:04:05.678901234Z',
  Description: {
    Hostname: `host${at}`,
    Platform: { Architecture: 'x86_64', OS: 'linux' },
    Resources: { NanoCPUs: 4e9, MemoryBytes: 8.25e9 },
    Engine: { EngineVersion: '28.2.2', Plugins: [{ Type: 'Log', Name: 'local' }] },
    TLSInfo: { TrustRoot: 'PEM' },
  },
  ...more,
  Spec: { Labels: { zone: 'a' }, Role: 'worker', Availability: 'active', ...more.Spec },
  Status: { State: 'ready', Addr: `10.0.0.${at}`, ...more.Status },
});
const manager = node(1, {
  Spec: { Role: 'manager' },
  ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' },
});
const nodes = [node(10, { Status: { State: 'down' } }), node(2, { Spec: { Availability: 'drain' } }), manager];
const web = {
  ID: 'svc1abcdefghijklmnopqrstu',
  Version: { Index: 7 },
  Spec: {
    Name: 'web',
    Labels: { a: '1' },
    TaskTemplate: { ContainerSpec: { Image: `img:2@sha256:${'a'.repeat(64)}` } },
    Mode: { Replicated: { Replicas: 2 } },
  },
  Endpoint: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }] },
  ServiceStatus: { RunningTasks: 1, DesiredTasks: 2 },
};
const task = (id: string, Slot: number, DesiredState: string, State: string, seconds: number, Err = '') => ({
  ID: `${id}abcdefghijklmnopqrstuvwx`.slice(0, 25),
  CreatedAt: before(seconds + 10),
  ServiceID: web.ID,
  Slot,
  NodeID: manager.ID,
  DesiredState,
  Spec: web.Spec.TaskTemplate,
  Status: { State, Timestamp: before(seconds), Err },
});
const tasks = [
  task('t4', 1, 'shutdown', 'shutdown', 7200),
  task('t2', 1, 'shutdown', 'failed', 65, 'task: non-zero exit (1): something longer than thirty characters'),
  task('t3', 2, 'running', 'preparing', 0.5),
  task('t1', 1, 'running', 'running', 5),
];
const swarm = {
  ID: 'cl',
  Version: { Index: 4 },
  Spec: { Name: 'default', Orchestration: { TaskHistoryRetentionLimit: 5 } },
  JoinTokens: { Worker: 'SWMTKN-1-w', Manager: 'SWMTKN-1-m' },
  TLSInfo: { TrustRoot: 'PEM' },
};

const routes: Record<string, Answer> = {
  'GET /info': {
    Swarm: {
      NodeID: manager.ID,
      NodeAddr: '10.0.0.1',
      LocalNodeState: 'active',
      ControlAvailable: true,
      Nodes: 3,
      Managers: 1,
      RemoteManagers: [{ Addr: '10.0.0.1:2377' }],
      Cluster: swarm,
    },
  },
  'GET /version': { Version: '0.1.0', ApiVersion: '1.47', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' },
  'GET /nodes': nodes,
  [`GET /nodes/${manager.ID}`]: manager,
  'GET /nodes/host1': manager,
  'GET /nodes/host2': nodes[1],
  'GET /nodes/*': new Refusal(404, 'node foo not found'),
  'POST /nodes/*': undefined,
  'DELETE /nodes/host2': undefined,
  'DELETE /nodes/*': new Refusal(400, 'node is not down'),
  'GET /services': [web],
  'GET /services/web': web,
  'GET /services/*': new Refusal(404, 'service foo not found'),
  'DELETE /services/web': undefined,
  'DELETE /services/*': new Refusal(404, 'service foo not found'),
  'GET /tasks': tasks,
  'GET /swarm': swarm,
  'POST /swarm/init': manager.ID,
  'POST /swarm/join': undefined,
  'POST /swarm/leave': undefined,
  'POST /swarm/update': undefined,
  'GET /swarm/unlockkey': { UnlockKey: 'SWMKEY-1-x' },
  'GET /secrets': [
    { ID: 's1', CreatedAt: before(100), UpdatedAt: before(5), Spec: { Name: 'key', Labels: { a: 'b' } } },
  ],
  'POST /secrets/create': { ID: 'newsecret' },
  'POST /configs/create': { ID: 'newconfig' },
  'GET /configs/conf': {
    ID: 'c1',
    CreatedAt: '2024-01-02T03:04:05Z',
    UpdatedAt: '2024-01-02T03:04:05Z',
    Spec: { Name: 'conf', Data: 'aGk=' },
  },
};

/** Command lines and what they print, in the form that Docker's client prints it. */
const outputs: [string, string][] = [
  [
    'node ls',
    `ID                           HOSTNAME   STATUS    AVAILABILITY   MANAGER STATUS   ENGINE VERSION
node1abcdefghijklmnopqrs *   host1      Ready     Active         Leader           28.2.2
node2abcdefghijklmnopqrs     host2      Ready     Drain                           28.2.2
node10abcdefghijklmnopqr     host10     Down      Active                          28.2.2
`,
  ],
  ['node ls -q', `${manager.ID}\n${nodes[1]!.ID}\n${nodes[0]!.ID}\n`],
  [
    'node ls --format "{{.Hostname}} {{.Self}} {{.TLSStatus}}"',
    'host1 true Ready\nhost2 false Ready\nhost10 false Ready\n',
  ],
  [
    'node ls --format "table {{.Hostname}}\\t{{.ManagerStatus}}\\t{{upper .Status}}"',
    'HOSTNAME   MANAGER STATUS   STATUS\nhost1      Leader           READY\nhost2                       READY\nhost10                      DOWN\n',
  ],
  [
    'service ls',
    'ID             NAME      MODE         REPLICAS   IMAGE     PORTS\nsvc1abcdefgh   web       replicated   1/2        img:2     *:8080->80/tcp\n',
  ],
  ['service ls -q', 'svc1abcdefgh\n'],
  [
    'service ls --format json',
    '{"ID":"svc1abcdefgh","Image":"img:2","Mode":"replicated","Name":"web","Ports":"*:8080->80/tcp","Replicas":"1/2"}\n',
  ],
  [
    'service ps web',
    `ID             NAME        IMAGE     NODE      DESIRED STATE   CURRENT STATE                      ERROR                              PORTS
t1abcdefghij   web.1       img:2     host1     Running         Running 5 seconds ago                                                 ${''}
t2abcdefghij    \\_ web.1   img:2     host1     Shutdown        Failed about a minute ago          "task: non-zero exit (1): some…"   ${''}
t4abcdefghij    \\_ web.1   img:2     host1     Shutdown        Shutdown 2 hours ago                                                  ${''}
t3abcdefghij   web.2       img:2     host1     Running         Preparing less than a second ago                                      ${''}
`,
  ],
  ['service ps -q web', [3, 1, 0, 2].map((at) => `${tasks[at]?.ID}\n`).join('')],
  [
    'service ps --format "{{.Name}} {{.Node}}" --no-resolve web',
    `${`${web.ID}.1 ${manager.ID}\n`.repeat(3)}${web.ID}.2 ${manager.ID}\n`,
  ],
  ['node ps --format "{{.Name}}@{{.Node}}"', 'web.1@host1\nweb.1@host1\nweb.1@host1\nweb.2@host1\n'],
  [
    'service inspect --format "{{.Spec.Name}} {{.Spec.Labels.a}}{{.Spec.Labels.zz}} {{.Spec.TaskTemplate.ContainerSpec.Dir}}|" web',
    'web 1<no value> |\n',
  ],
  ['service inspect --format "{{range .Endpoint.Ports}}{{.PublishedPort}}{{end}}" web', '8080\n'],
  [
    'service inspect --format "{{json .Spec.Mode}}" web',
    '{"Replicated":{"Replicas":2},"Global":null,"ReplicatedJob":null,"GlobalJob":null}\n',
  ],
  ['node inspect self --format "{{.Description.Hostname}} {{.ManagerStatus.Leader}}"', 'host1 true\n'],
  [
    'node promote host2 host1',
    `Node host2 promoted to a manager in the swarm.\nNode ${manager.ID} is already a manager.\n`,
  ],
  ['node demote host1', 'Manager host1 demoted in the swarm.\n'],
  ['swarm leave --force', 'Node left the swarm.\n'],
  ['swarm join --token x 10.0.0.1:2377', 'This node joined a swarm as a manager.\n'],
  ['swarm join-token -q manager', 'SWMTKN-1-m\n'],
  ['swarm ca', 'PEM\n'],
  ['swarm unlock-key -q', 'SWMKEY-1-x\n'],
  [
    'swarm init',
    `Swarm initialized: current node (${manager.ID}) is now a manager.

To add a worker to this swarm, run the following command:

    shoal swarm join --token SWMTKN-1-w 10.0.0.1:2377

To add a manager to this swarm, run 'shoal swarm join-token manager' and follow the instructions.
`,
  ],
  [
    'secret ls',
    'ID        NAME      DRIVER    CREATED              UPDATED\ns1        key                 About a minute ago   5 seconds ago\n',
  ],
  ['secret ls --format "{{.Name}} {{.Labels}} {{.Label \\"a\\"}}"', 'key a=b b\n'],
  [
    'config inspect --pretty conf',
    'ID:\t\t\tc1\nName:\t\t\tconf\nCreated at:            \t2024-01-02 03:04:05 +0000 utc\nUpdated at:            \t2024-01-02 03:04:05 +0000 utc\nData:\nhi\n',
  ],
  ['info --format "{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}"', 'active true\n'],
];

/** Command lines, their exit codes and what they say on standard error. */
const failures: [string, number, string | RegExp][] = [
  ['service inspect foo', 1, 'Error: no such service: foo\n'],
  ['node inspect foo', 1, 'Error response from daemon: node foo not found\n'],
  ['node rm host2 host1', 1, 'Error response from daemon: node is not down\n'],
  ['service rm web foo', 1, 'Error response from daemon: service foo not found\n'],
  ['service ps foo', 1, 'no such service: foo\n'],
  ['node update --label-rm nope host1', 1, "key nope doesn't exist in node's labels\n"],
  ['node update --role boss host1', 1, 'invalid role "boss", only worker and manager are supported\n'],
  ['node update --availability maybe host1', 1, /invalid availability "maybe"/],
  ['swarm join-token boss', 1, 'unknown role boss: use worker or manager\n'],
  ['swarm ca --cert-expiry 1h', 1, '`--cert-expiry` flag requires the `--rotate` flag to update the CA\n'],
  ['swarm init --availability x', 1, /invalid availability/],
  ['swarm init --default-addr-pool 10.0.0.0', 125, /invalid CIDR address/],
  ['swarm init --data-path-port 99999', 125, /out of range/],
  [
    'service ls --format "{{.Nope}}"',
    1,
    /^template parsing error: template: :1:2: executing "" at <\.Nope>: .*\nFields: \.ID \.Image/,
  ],
  ['service ls --format "{{"', 1, 'template parsing error: template: :1: unclosed action\n'],
  ['service inspect --format "{{.Spec.Nope}}" web', 1, /no entry for key "Nope"/],
  ['service inspect --pretty --format x web', 1, '--format is incompatible with human friendly format\n'],
  ['secret create key', 1, /either a file or "-"/],
  ['secret create key nope', 1, /^error reading content from "nope": open nope: no such file or directory\n/],
  ['secret create key -', 1, 'error reading from -: data is empty\n'],
  ['service ls --filter x', 125, /invalid filter 'x'/],
  ['service logs --tail x web', 125, /use a number of lines, or all/],
  ['service logs --since x web', 1, /invalid value for "since"/],
  ['service logs foo', 1, /no such task or service: foo/],
  ['service inspect ""', 1, 'invalid service name or ID: value is empty\n'],
  ['node rm ..', 1, 'invalid node name or ID: ".."\n'],
  ['nope', 1, /^shoal: unknown command: shoal nope\n/],
  ['service nope', 1, /^shoal: unknown command: shoal service nope\n\nRun/],
  ['servcie ls', 1, /^shoal: unknown command: shoal servcie\n\nDid you mean this\?\n\tservice\n\nRun 'shoal --help'/],
  ['service in', 1, /\n\tinspect\n/],
  ['service create --replcas 3 web', 125, /^unknown flag: --replcas\nDid you mean --replicas\?\n\nUsage/],
  ['lab up 0x3', 1, /^HOSTS: "0x3" is not a whole number\n/],
  ['lab up 31', 1, /^a lab has 1 to 30 hosts, not 31\n/],
  ['lab up --init --no-daemon', 1, /^--init needs daemons/],
  ['lab up --name UPPER', 1, /a lab's name is 1 to 8 lower-case letters/],
  ['lab down --name nosuch', 1, /^there is no lab nosuch here/],
  ['lab get nowhere', 1, /^"nowhere" is not a URL/],
  ['lab exec node1 --', 1, /^there is no command after/],
  ['lab crsh node1', 1, /\n\tcrash\n/],
  [
    'service create',
    1,
    /^shoal: 'shoal service create' requires at least 1 argument\n\nUsage: {2}shoal service create \[OPTIONS\] IMAGE/,
  ],
  ['service update', 1, /requires 1 argument\n/],
  ['swarm leave now', 1, /accepts no arguments\n/],
  ['config create x', 1, /requires 2 arguments\n/],
  ['-H a -H b node ls', 125, 'specify only one -H\n'],
  ['-H nonsense node ls', 1, /^unable to parse docker host "nonsense"/],
  [
    '-H unix:///nowhere.sock node ls',
    1,
    /^Cannot connect to the Shoal daemon at unix:\/\/\/nowhere\.sock\. Is the daemon running\?\nStart it with/,
  ],
  ['-H unix:///nowhere.sock service create nginx', 1, /^Cannot connect to the Shoal daemon at unix:/],
  ['--nope', 125, /^unknown flag: --nope\n\nUsage: {2}shoal/],
];

describe('commands', () => {
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await startFakeDaemon(routes);
  });
  afterEach(() => daemon.close());
  const run = (line: string, world?: CliWorld) => cli(daemon, splitWords(line), world);

  for (const [line, output] of outputs) {
    it(`${line} prints what Docker's client prints`, async () => {
      const { code, out, err } = await run(line);
      assert.equal(err, '');
      assert.equal(out, output);
      assert.equal(code, 0);
    });
  }

  for (const [line, code, message] of failures) {
    it(`${line} fails with ${code} and says why`, async () => {
      const result = await run(line);
      if (typeof message === 'string') assert.equal(result.err, message);
      else assert.match(result.err, message);
      assert.equal(result.code, code);
    });
  }

  it('send what Docker sends', async () => {
    const sent: [string, string, unknown][] = [
      ['swarm leave --force', 'POST /swarm/leave', undefined],
      [
        'swarm join --token x --advertise-addr eth0 --listen-addr 10.0.0.2 10.0.0.1:2377',
        'POST /swarm/join',
        {
          ListenAddr: '10.0.0.2:2377',
          AdvertiseAddr: 'eth0',
          DataPathAddr: '',
          RemoteAddrs: ['10.0.0.1:2377'],
          JoinToken: 'x',
          Availability: '',
        },
      ],
      [
        'swarm update --task-history-limit 2 --cert-expiry 48h --autolock',
        'POST /swarm/update',
        {
          Name: 'default',
          Orchestration: { TaskHistoryRetentionLimit: 2 },
          CAConfig: { NodeCertExpiry: 172_800e9 },
          EncryptionConfig: { AutoLockManagers: true },
        },
      ],
      [
        'node update --availability PAUSE --label-add b=c --label-add d --label-rm zone host2',
        `POST /nodes/${nodes[1]!.ID}/update`,
        { Labels: { b: 'c', d: '' }, Role: 'worker', Availability: 'pause' },
      ],
      ['secret create -l a=b key file', 'POST /secrets/create', { Name: 'key', Labels: { a: 'b' }, Data: 'aGVsbG8=' }],
      ['config create conf -', 'POST /configs/create', { Name: 'conf', Labels: {}, Data: 'aW5wdXQ=' }],
    ];
    for (const [line, route, body] of sent) {
      const { code, err } = await run(line, { files: { file: 'hello' }, input: 'input' });
      assert.equal(code, 0, err);
      assert.deepEqual(daemon.sent(route), body, line);
    }
    assert.equal(daemon.requests.find(({ path }) => path === '/swarm/leave')?.query.force, '1');
    assert.equal(daemon.requests.find(({ path }) => path === '/swarm/update')?.query.version, '4');
  });

  it('rotate a token under the version that they saw', async () => {
    await run('swarm join-token --rotate worker');
    const { query } = daemon.requests.find(({ path }) => path === '/swarm/update')!;
    assert.deepEqual(query, { version: '4', rotateWorkerToken: '1' });
  });

  it('pass filters on as sets of values', async () => {
    await run('node ls -f role=manager --filter role=worker -f name=a=b');
    const { query } = daemon.requests.find(({ path }) => path === '/nodes')!;
    assert.deepEqual(JSON.parse(query.filters!), { role: { manager: true, worker: true }, name: { 'a=b': true } });
  });

  it('show a service to people', async () => {
    const { out } = await run('service inspect --pretty web');
    assert.match(
      out,
      /^\nID:\t\tsvc1abcdefghijklmnopqrstu\nName:\t\tweb\nLabels:\n a=1\nService Mode:\tReplicated\n Replicas:\t2\nPlacement:\n/,
    );
    assert.match(
      out,
      /Ports:\n PublishedPort = 8080\n {2}Protocol = tcp\n {2}TargetPort = 80\n {2}PublishMode = ingress\n$/,
    );
  });

  it('show a node to people', async () => {
    const { out } = await run('node inspect --pretty host1');
    assert.match(
      out,
      /^ID:\t\t\tnode1abcdefghijklmnopqrs\nLabels:\n - zone=a\nHostname: {14}\thost1\nJoined at: {13}\t2024-01-02 03:04:05\.678901234 \+0000 utc\n/,
    );
    assert.match(out, /Manager Status:\n Address:\t\t10\.0\.0\.1:2377\n Raft Status:\t\tReachable\n Leader:\t\tYes\n/);
    assert.match(out, /Memory:\t\t7\.683GiB\n/);
  });

  it('show what they find before they fail for what they do not', async () => {
    const { code, out, err } = await run('service inspect --format "{{.ID}}" foo web');
    assert.deepEqual({ code, out, err }, { code: 1, out: `${web.ID}\n`, err: 'Error: no such service: foo\n' });
  });

  it('show the version of both sides, or of this one when there is no daemon', async () => {
    const both = await run('version');
    assert.match(
      both.out,
      /^Client:\n Version: +\d+\.\d+\.\d+\n[\s\S]*Server:\n Engine:\n {2}Version: +0\.1\.0\n {2}API version: +1\.47 \(minimum version 1\.24\)\n/,
    );
    daemon.routes['GET /version'] = {
      ApiVersion: '1.41',
      Components: [
        { Name: 'Engine', Version: '20.10', Details: { ApiVersion: '1.41', Os: 'linux', Arch: 'amd64' } },
        { Name: 'runc', Version: '1.1.5', Details: { GitCommit: 'abc' } },
      ],
    };
    const parts = await run('version');
    assert.match(parts.out, / Engine:\n {2}Version: +20\.10\n {2}API version: +1\.41\n {2}OS\/Arch: +linux\/amd64\n/);
    assert.match(parts.out, / runc:\n {2}Version: +1\.1\.5\n {2}GitCommit: +abc\n$/, 'no API that it does not have');
    const alone = await run('-H unix:///nowhere.sock version --format "{{.Client.ApiVersion}}"');
    assert.equal(alone.out, '1.47\n');
    assert.equal(alone.code, 1);
  });

  it('name the state of the swarm in info', async () => {
    const { out } = await run('info');
    assert.match(
      out,
      / Swarm: active\n {2}NodeID: node1\w+\n {2}Is Manager: true\n {2}ClusterID: cl\n {2}Managers: 1\n {2}Nodes: 3\n/,
    );
  });

  it('obey no control characters that come from the cluster', async () => {
    daemon.routes['GET /nodes'] = [{ ...manager, Description: { ...manager.Description, Hostname: 'a\x1b[31mb\nc' } }];
    assert.match((await run('node ls')).out, / a \[31mb c +Ready/);
    daemon.routes['GET /nodes'] = nodes;
  });

  it('say so when what answers is no daemon', async () => {
    daemon.routes['GET /nodes'] = (_request: unknown, response: { end(text: string): void }) => response.end('<html>');
    const { code, err } = await run('node ls -q');
    daemon.routes['GET /nodes'] = nodes;
    assert.equal(code, 1);
    assert.match(err, /is not the Docker Engine API: \/nodes gave <html>/);
  });

  it('say so when the daemon hangs up', async () => {
    daemon.routes['GET /nodes'] = (_request: unknown, response: { destroy(): void }) => response.destroy();
    const { code, err } = await run('node ls -q');
    daemon.routes['GET /nodes'] = nodes;
    assert.equal(code, 1);
    assert.match(err, /closed the connection before it answered/);
  });
});

describe('service logs', () => {
  const frame = (stream: number, text: string) => {
    const payload = Buffer.from(text);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(payload.length, 4);
    return Buffer.concat([header, payload]);
  };
  const details = (id: string) =>
    `com.docker.swarm.node.id=${manager.ID},com.docker.swarm.service.id=${web.ID},com.docker.swarm.task.id=${id}`;
  let daemon: FakeDaemon;
  let chunks: Buffer[];
  beforeEach(async () => {
    daemon = await startFakeDaemon({
      ...routes,
      [`GET /services/${web.ID}/logs`]: (_request: unknown, response: { write(chunk: Buffer): void; end(): void }) => {
        for (const chunk of chunks) response.write(chunk);
        response.end();
      },
    });
  });
  afterEach(() => daemon.close());

  it('say who said what, on which stream', async () => {
    const whole = Buffer.concat([
      frame(1, `${details(tasks[3]!.ID)} hello, world\n`),
      frame(2, `${details(tasks[2]!.ID)},extra=1 oops\n`),
    ]);
    chunks = [whole.subarray(0, 5), whole.subarray(5, 40), whole.subarray(40)];
    const { code, out, err } = await cli(daemon, ['service', 'logs', 'web']);
    assert.equal(code, 0);
    assert.equal(out, 'web.1.t1abcdefghij@host1    | hello, world\n');
    assert.equal(err, 'web.2.t3abcdefghij@host1    | oops\n');
  });

  it('ask for what they were told to', async () => {
    chunks = [];
    await cli(daemon, ['service', 'logs', '-ft', '--since', '60s', '-n', '5', 'web']);
    const { query } = daemon.requests.at(-1)!;
    assert.deepEqual(query, {
      stdout: '1',
      stderr: '1',
      details: '1',
      follow: '1',
      since: String(now_ms / 1000 - 60),
      tail: '5',
      timestamps: '1',
    });
  });

  it('with times, details and without ids', async () => {
    chunks = [frame(1, `2026-05-04T12:00:00Z ${details(tasks[3]!.ID)},a=%C3%A9 hi\n`)];
    const { out } = await cli(daemon, ['service', 'logs', '-t', '--details', '--no-task-ids', 'web']);
    assert.equal(out, '2026-05-04T12:00:00Z web.1@host1    | a=é hi\n');
  });

  it('raw are the bytes as they came', async () => {
    chunks = [frame(1, 'any\x00thing\n')];
    assert.equal((await cli(daemon, ['service', 'logs', '--raw', 'web'])).out, 'any\x00thing\n');
    assert.equal(daemon.requests.at(-1)?.query.details, '0');
  });

  it('fail when the stream is none, and for an error in it', async () => {
    chunks = [Buffer.from('this is no stream of frames')];
    assert.match((await cli(daemon, ['service', 'logs', 'web'])).err, /unrecognized log stream/);
    chunks = [frame(3, 'node is gone')];
    assert.match((await cli(daemon, ['service', 'logs', 'web'])).err, /error from daemon in stream: node is gone/);
  });
});
