import assert from 'node:assert/strict';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, Refusal, startFakeDaemon } from '../../helpers/fake-daemon.js';
import { play } from '../../helpers/terminal.js';

const states = ['new', 'pending', 'assigned', 'accepted', 'preparing', 'ready', 'starting', 'running'];

describe('the progress of a service', () => {
  let daemon: FakeDaemon;
  let looks = 0;
  let service: { UpdateStatus?: { State: string; Message?: string }; Spec: object };
  let tasks: () => object[];

  beforeEach(async () => {
    looks = 0;
    service = {
      Spec: { Name: 'web', TaskTemplate: {}, Mode: { Replicated: { Replicas: 2 } }, UpdateConfig: { Monitor: 1e9 } },
    };
    // Slot 2 is a step behind slot 1; both take a step at every look.
    tasks = () =>
      [1, 2].map((slot) => ({
        ID: `t${slot}`,
        Slot: slot,
        NodeID: 'n1',
        DesiredState: 'running',
        Status: { State: states[Math.max(0, Math.min(7, looks - slot))] },
      }));
    daemon = await startFakeDaemon({
      'POST /services/create': { ID: 'svcid' },
      'POST /services/svcid/update': {},
      'GET /services/*': () => ({ ID: 'svcid', Version: { Index: 1 }, ...service }),
      'GET /tasks': () => {
        looks++;
        return tasks();
      },
      'GET /nodes': [{ ID: 'n1', Status: { State: 'ready' } }],
    });
  });
  afterEach(() => daemon.close());

  const create = (world = {}) =>
    cli(daemon, ['service', 'create', '--no-resolve-image', '--replicas', '2', 'x'], world);

  it('is told in plain lines, each when it says something new', async () => {
    const { code, out } = await create();
    assert.equal(code, 0);
    assert.deepEqual(out.trimEnd().split('\n'), [
      'svcid',
      'overall progress: 0 out of 2 tasks',
      'overall progress: 1 out of 2 tasks',
      'overall progress: 2 out of 2 tasks',
      'verify: Waiting 1 seconds to verify that tasks are stable...',
      'verify: Service svcid converged',
    ]);
  });

  it('asks for tasks of the spec as it is now', async () => {
    await create();
    const asked = daemon.requests.find(({ path }) => path === '/tasks');
    assert.deepEqual(JSON.parse(asked?.query.filters ?? ''), {
      service: { svcid: true },
      '_up-to-date': { true: true },
    });
  });

  it('is a line a task on a terminal, redrawn in its place', async () => {
    const { out } = await create({ columns: 100 });
    assert.match(out, /^svcid\noverall progress: 0 out of 2 tasks\n1\/2: new {7}\[=+> +\]\n2\/2: new/);
    assert.match(out, /1\/2: running {3}\[=+>\]/);
    const { out: unsized } = await create({ columns: 0 });
    assert.match(unsized, /1\/2: running {3}\[=+>\]/, 'a terminal that was never told its size');
    const screen = play(out);
    assert.deepEqual(
      screen.map((line) => line.replace(/ *\[=*> *\]/, ' [=>]')),
      [
        'svcid',
        'overall progress: 2 out of 2 tasks',
        '1/2: running [=>]',
        '2/2: running [=>]',
        'verify: Service svcid converged',
      ],
    );
  });

  it('never writes a line wider than the terminal', async () => {
    tasks = () => [
      { ID: 't', Slot: 1, NodeID: 'n1', DesiredState: 'running', Status: { State: 'failed', Err: 'x'.repeat(500) } },
    ];
    let looked = 0;
    let press = () => {};
    const { out } = await create({
      columns: 40,
      interrupt: (call: () => void) => {
        press = call;
      },
      onSleep: () => {
        if (++looked === 3) press();
      },
    });
    for (const line of out.split('\n').slice(0, 3)) assert.ok(line.length < 40, line);
  });

  it('goes on in the background after Ctrl-C', async () => {
    const { code, out } = await create({ interrupt: (press: () => void) => press() });
    assert.equal(code, 0);
    assert.match(out, /Operation continuing in background\.\nUse `shoal service ps svcid` to check progress\.\n$/);
  });

  it('is not waited for when detached, and not shown when quiet', async () => {
    assert.equal((await cli(daemon, ['service', 'create', '-d', '--no-resolve-image', 'x'])).out, 'svcid\n');
    assert.equal(looks, 0);
    assert.equal((await cli(daemon, ['service', 'create', '-q', '--no-resolve-image', 'x'])).out, 'svcid\n');
    assert.ok(looks > 8);
  });

  it('says that the service goes on when the daemon that is asked does not', async () => {
    daemon.routes['GET /tasks'] = new Refusal(503, 'The swarm does not have a leader.');
    const { code, out, err } = await create();
    assert.deepEqual([code, out], [1, 'svcid\n']);
    assert.equal(
      err,
      'Error response from daemon: The swarm does not have a leader.\n' +
        'What was asked for is stored and goes on. Ask any manager: shoal service ps svcid\n',
    );
    daemon.routes['GET /services/*'] = new Refusal(404, 'service svcid not found');
    assert.equal((await create()).err, 'Error response from daemon: service svcid not found\n');
  });

  it('starts over when a task fails while it is verified', async () => {
    const steady = tasks;
    tasks = () => (looks === 11 ? [] : steady());
    const { out } = await create();
    assert.match(out, /Waiting 1 seconds[^\n]*\n(.*\n)?verify: Detected task failure\n/);
    assert.match(out, /verify: Service svcid converged\n$/);
  });

  it('ends with an error when the update is paused', async () => {
    service.UpdateStatus = { State: 'paused', Message: 'update paused due to failure of task t1' };
    const { code, err } = await create();
    assert.equal(code, 1);
    assert.equal(err, 'service update paused: update paused due to failure of task t1\n');
  });

  it('tells of a rollback', async () => {
    service.UpdateStatus = { State: 'rollback_started', Message: 'update rolled back due to failure' };
    const { out } = await cli(daemon, ['service', 'rollback', 'web']);
    assert.match(
      out,
      /^web\nrollback: update rolled back due to failure\noverall progress: rolling back update: 0 out of 2 tasks\n/,
    );
  });

  it('does not take an update that was complete before for this one', async () => {
    service.UpdateStatus = { State: 'completed' };
    const { out } = await cli(daemon, ['service', 'scale', 'web=2']);
    assert.match(out, /^web scaled to 2\noverall progress: 0 out of 2/);
    assert.match(out, /verify: Service svcid converged\n$/);
  });
});
