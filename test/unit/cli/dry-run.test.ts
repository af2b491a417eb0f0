import assert from 'node:assert/strict';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';

const preview = {
  Changes: [
    { Field: 'TaskTemplate.ContainerSpec.Image', Before: '"web:1"', After: '"web:2"' },
    { Field: 'TaskTemplate.ContainerSpec.Env', Before: '', After: '"A=1"' },
    { Field: 'Labels.old', Before: '"x"', After: '' },
  ],
  Tasks: [
    { Service: 'web', Name: 'web.1', Action: 'replace', FromNode: 'n1', ToNode: 'n2', Order: 'stop-first', Step: 1 },
    { Service: 'web', Name: 'web.2', Action: 'keep', FromNode: 'n2', ToNode: 'n2' },
    { Service: 'web', Name: 'web.3', Action: 'stop', FromNode: 'n3', Step: 2 },
    { Service: 'web', Name: 'web.4', Action: 'wait', Step: 1, Reason: 'no suitable node (too\u001b[31m small)' },
  ],
  Nodes: [
    { NodeID: 'a', Node: 'n1', Kept: 0, Stopped: 1, Started: 0 },
    { NodeID: 'b', Node: 'n2', Kept: 1, Stopped: 0, Started: 1 },
  ],
  Steps: 2,
  Unfinished: false,
  Warnings: ['mind this'],
};
const shown = `Dry run: nothing was changed.
  ~ TaskTemplate.ContainerSpec.Image: "web:1" -> "web:2"
  + TaskTemplate.ContainerSpec.Env: "A=1"
  - Labels.old: "x"

TASK      ACTION    NODE       STEP      DETAIL
web.1     replace   n1 -> n2   1         stop-first
web.2     keep      n2                   
web.3     stop      n3         2         
web.4     wait                 1         no suitable node (too [31m small)

NODE      KEPT      STOPPED   STARTED
n1        0         1         0
n2        1         0         1

Tasks: 1 replaced, 1 stopped, 1 kept, 1 waiting for a node; in 2 steps, if every task starts.
Warning: mind this
`;

describe('a dry run', () => {
  const service = { ID: 'id1', Version: { Index: 7 }, Spec: { Name: 'web', Mode: { Replicated: { Replicas: 3 } } } };
  const node = { ID: 'n1', Version: { Index: 9 }, Spec: { Role: 'worker', Availability: 'active' } };
  let daemon: FakeDaemon;
  beforeEach(async () => {
    daemon = await startFakeDaemon({
      'GET /services/web': service,
      'GET /nodes/n1': node,
      'GET /distribution/*': {},
      'POST /services/create': preview,
      'POST /services/id1/update': preview,
      'DELETE /services/web': preview,
      'POST /nodes/n1/update': preview,
    });
  });
  afterEach(() => daemon.close());

  const commands: [line: string[], asked: string, query: Record<string, string>][] = [
    [['service', 'create', '--no-resolve-image', '--dry-run', 'web:2'], 'POST /services/create', { dryRun: '1' }],
    [
      ['service', 'update', '--dry-run', '--image', 'web:2', '--no-resolve-image', 'web'],
      'POST /services/id1/update',
      { version: '7', registryAuthFrom: 'spec', dryRun: '1' },
    ],
    [['service', 'scale', '--dry-run', 'web=5'], 'POST /services/id1/update', { version: '7', dryRun: '1' }],
    [
      ['service', 'rollback', '--dry-run', 'web'],
      'POST /services/id1/update',
      { version: '7', rollback: 'previous', dryRun: '1' },
    ],
    [['service', 'rm', '--dry-run', 'web'], 'DELETE /services/web', { dryRun: '1' }],
    [
      ['node', 'update', '--dry-run', '--availability', 'drain', 'n1'],
      'POST /nodes/n1/update',
      { version: '9', dryRun: '1' },
    ],
  ];
  for (const [line, asked, query] of commands) {
    it(`of ${line.slice(0, 2).join(' ')} asks the daemon and shows task by task and node by node`, async () => {
      const { code, out, err } = await cli(daemon, line);
      assert.deepEqual([code, err, out], [0, '', shown]);
      const writes = daemon.requests.filter(({ method }) => method !== 'GET');
      assert.deepEqual(
        writes.map((one) => [`${one.method} ${one.path}`, one.query]),
        [[asked, query]],
      );
    });
  }

  it('is told as JSON too', async () => {
    const { out } = await cli(daemon, ['service', 'rm', '--dry-run=json', 'web']);
    assert.deepEqual(JSON.parse(out), preview);
  });

  it('refuses another form', async () => {
    const { code, err } = await cli(daemon, ['service', 'rm', '--dry-run=yaml', 'web']);
    assert.equal(code, 125);
    assert.match(err, /use text, json/);
  });

  it('stands apart in the help', async () => {
    const { out } = await cli(daemon, ['service', 'rm', '--help']);
    assert.match(out, /\n\nBeyond Docker:\n {6}--dry-run {3}Show what/);
  });
});

describe('service diff', () => {
  let daemon: FakeDaemon;
  const service = { ID: 'id1', Version: { Index: 7 }, Spec: { Name: 'web' } };
  beforeEach(async () => {
    daemon = await startFakeDaemon({ 'GET /services/web': service, 'POST /services/id1/update': preview });
  });
  afterEach(() => daemon.close());

  it('shows what of the spec would change, and how many tasks that touches', async () => {
    const line = ['service', 'diff', '--env-add', 'A=1', 'web'];
    const { code, out } = await cli(daemon, line);
    assert.equal(code, 0);
    assert.equal(
      out,
      `  ~ TaskTemplate.ContainerSpec.Image: "web:1" -> "web:2"
  + TaskTemplate.ContainerSpec.Env: "A=1"
  - Labels.old: "x"
Tasks: 1 replaced, 1 stopped, 1 kept, 1 waiting for a node; in 2 steps, if every task starts.
`,
    );
    assert.equal(daemon.requests.at(-1)?.query.dryRun, '1');
  });

  it('takes what a rollback would change, and says so when nothing would', async () => {
    daemon.routes['POST /services/id1/update'] = { ...preview, Changes: [] };
    const { out } = await cli(daemon, ['service', 'diff', '--rollback', '--format', 'text', 'web']);
    assert.equal(out, 'The spec would stay as it is.\n');
    assert.equal(daemon.requests.at(-1)?.query.rollback, 'previous');
    daemon.routes['POST /services/id1/update'] = preview;
    const json = await cli(daemon, ['service', 'diff', '--rollback', '--format', 'json', 'web']);
    assert.deepEqual(JSON.parse(json.out), preview.Changes);
  });
});
