import assert from 'node:assert/strict';
import { ApiFixture, smallSpec } from '../../helpers/api-fixture.js';
import { localNodeID } from '../../helpers/memory-backend.js';

const filters = (value: unknown) => encodeURIComponent(JSON.stringify(value));

describe('the other endpoints of a manager', () => {
  let api: ApiFixture;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found();
  });
  afterEach(() => api.stop());

  const versionOf = async (path: string) => (await api.call('GET', path)).body.Version.Index;
  const refusedWith = async (
    answer: Promise<{ status: number; body: { message: string } }>,
    status: number,
    words: RegExp,
  ) => {
    const { status: got, body } = await answer;
    assert.equal(got, status, JSON.stringify(body));
    assert.match(body.message, words);
  };

  describe('nodes', () => {
    it('are shown with their place among the managers', async () => {
      api.backend.addNode({ ID: 'worker', Spec: { Role: 'worker', Availability: 'active' } }, 'node2');
      const nodes = (await api.call('GET', '/nodes')).body;
      assert.equal(nodes.length, 2);
      const manager = (await api.call('GET', '/nodes/node1')).body;
      assert.deepEqual(manager.ManagerStatus, { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' });
      const worker = (await api.call('GET', '/nodes/node2')).body;
      assert.equal(worker.ManagerStatus, undefined);
      assert.deepEqual(worker.Spec, { Labels: {}, Role: 'worker', Availability: 'active' });
      await refusedWith(api.call('GET', '/nodes/nope'), 404, /^node nope not found$/);
    });

    it('are filtered', async () => {
      api.backend.addNode({ ID: 'worker', Spec: { Role: 'worker', Labels: { zone: 'a' } } }, 'node2');
      const count = async (value: unknown) => (await api.call('GET', `/nodes?filters=${filters(value)}`)).body.length;
      assert.equal(await count({ role: ['worker'] }), 1);
      assert.equal(await count({ role: ['worker', 'manager'] }), 2);
      assert.equal(await count({ name: ['node2'] }), 1);
      assert.equal(await count({ 'node.label': ['zone=a'] }), 1);
      assert.equal(await count({ label: ['zone=a'] }), 0);
      assert.equal(await count({ membership: ['accepted'] }), 2);
      assert.equal(await count({ membership: ['pending'] }), 0);
      await refusedWith(api.call('GET', `/nodes?filters=${filters({ role: ['x'] })}`), 400, /Invalid role filter: 'x'/);
      await refusedWith(api.call('GET', `/nodes?filters=${filters({ color: ['x'] })}`), 400, /Invalid filter 'color'/);
    });

    it('are updated, and not beyond what the cluster bears', async () => {
      const update = async (spec: object, version?: number) =>
        api.call('POST', `/nodes/node1/update?version=${version ?? (await versionOf('/nodes/node1'))}`, spec);
      const drained = { Role: 'manager', Availability: 'drain', Labels: { a: 'b' } };
      assert.equal((await update(drained)).status, 200);
      assert.deepEqual((await api.call('GET', '/nodes/node1')).body.Spec.Availability, 'drain');
      await refusedWith(update(drained, 1), 500, /update out of sequence/);
      await refusedWith(
        update({ Role: 'worker', Availability: 'active' }),
        400,
        /attempting to demote the last manager/,
      );
      await refusedWith(update({ Role: 'foo', Availability: 'active' }), 400, /Spec.Role/);
      await refusedWith(api.call('POST', '/nodes/node1/update', drained), 400, /invalid node version ''/);
    });

    it('are removed by the daemon', async () => {
      api.backend.addNode({ ID: 'worker' }, 'node2');
      assert.equal((await api.call('DELETE', '/nodes/node2?force=1')).status, 200);
      assert.deepEqual(api.backend.calls, [{ removeNode: 'worker', force: true }]);
      await refusedWith(api.call('DELETE', '/nodes/node2'), 404, /node node2 not found/);
    });
  });

  describe('tasks', () => {
    let service: string;
    beforeEach(async () => {
      service = (await api.call('POST', '/services/create', smallSpec('web'))).body.ID;
      const { SpecVersion } = api.backend.view.get('Service', service)!;
      const base = { ServiceID: service, ServiceName: 'web', Spec: { ContainerSpec: { Image: 'x' } } };
      api.backend
        .addTask({
          ID: 'task1',
          Slot: 1,
          NodeID: localNodeID,
          DesiredState: 'running',
          SpecVersion,
          ...base,
          Status: { State: 'running' },
        })
        .addTask({ ID: 'task2', Slot: 1, NodeID: 'other', DesiredState: 'shutdown', SpecVersion: 1, ...base })
        .addTask({ ID: 'alone', ServiceID: 'gone', NodeID: 'other', DesiredState: 'running' });
    });

    it('are listed by what they belong to', async () => {
      const ids = async (value: unknown) => {
        const { status, body } = await api.call('GET', `/tasks?filters=${filters(value)}`);
        assert.equal(status, 200, JSON.stringify(body));
        return body.map((task: { ID: string }) => task.ID).sort();
      };
      assert.deepEqual(await ids({}), ['alone', 'task1', 'task2']);
      assert.deepEqual(await ids({ service: ['web'] }), ['task1', 'task2']);
      assert.deepEqual(await ids({ node: ['node1'] }), ['task1']);
      assert.deepEqual(await ids({ service: ['web'], node: ['node1'] }), ['task1']);
      assert.deepEqual(await ids({ 'desired-state': ['shutdown'] }), ['task2']);
      assert.deepEqual(await ids({ service: ['web'], '_up-to-date': ['true'] }), ['task1']);
      assert.deepEqual(await ids({ service: ['web'], '_up-to-date': ['false'] }), ['task2']);
      assert.deepEqual(await ids({ name: ['web.1.task2'] }), ['task2']);
      assert.deepEqual(await ids({ id: ['task'] }), ['task1', 'task2']);
    });

    it('are shown without what is internal', async () => {
      const task = (await api.call('GET', '/tasks/task1')).body;
      assert.equal(task.Status.State, 'running');
      assert.equal(task.ServiceName, undefined);
      assert.equal(task.SpecVersion, undefined);
      await refusedWith(api.call('GET', '/tasks/nope'), 404, /^task nope not found$/);
    });

    it('refuse filters for what there is not', async () => {
      await refusedWith(
        api.call('GET', `/tasks?filters=${filters({ service: ['no-such'] })}`),
        404,
        /service no-such not found/,
      );
      await refusedWith(
        api.call('GET', `/tasks?filters=${filters({ node: ['no-such'] })}`),
        404,
        /node no-such not found/,
      );
      await refusedWith(
        api.call('GET', `/tasks?filters=${filters({ 'desired-state': ['x'] })}`),
        400,
        /Invalid desired-state filter: 'x'/,
      );
      await refusedWith(api.call('GET', `/tasks?filters=${filters({ '_up-to-date': ['x'] })}`), 400, /_up-to-date/);
    });
  });

  describe('secrets and configs', () => {
    it('never show what a secret holds, and do show a config', async () => {
      const canary = Buffer.from('canary-7f3a').toString('base64');
      await api.call('POST', '/secrets/create', { Name: 's', Data: canary, Labels: { a: 'b' } });
      await api.call('POST', '/configs/create', { Name: 'c', Data: canary });
      for (const path of ['/secrets', '/secrets/s']) {
        const { text } = await api.call('GET', path);
        assert.ok(!text.includes(canary) && !text.includes('Data'), text);
      }
      assert.equal((await api.call('GET', '/configs/c')).body.Spec.Data, canary);
    });

    for (const kind of ['secret', 'config']) {
      it(`create, list, label and remove a ${kind}`, async () => {
        const base = `/${kind}s`;
        const made = await api.call('POST', `${base}/create`, { Name: 'one', Data: 'aGk=' });
        assert.equal(made.status, 201);
        await refusedWith(api.call('POST', `${base}/create`, { Name: 'one', Data: 'aGk=' }), 409, /already exists/);
        await refusedWith(api.call('POST', `${base}/create`, { Name: 'two' }), 400, /data must be larger than 0/);
        await refusedWith(
          api.call('POST', `${base}/create`, { Name: 'two', Data: 5 }),
          400,
          /Spec.Data: must be base64/,
        );
        assert.equal((await api.call('GET', `${base}?filters=${filters({ name: ['on'] })}`)).body.length, 1);
        assert.equal((await api.call('GET', `${base}?filters=${filters({ names: ['on'] })}`)).body.length, 0);
        const at = `?version=${await versionOf(`${base}/one`)}`;
        await refusedWith(
          api.call('POST', `${base}/one/update${at}`, { Name: 'one', Data: 'aGkx' }),
          400,
          /only updates to Labels are allowed/,
        );
        await refusedWith(
          api.call('POST', `${base}/one/update${at}`, { Name: 'three' }),
          400,
          /only updates to Labels/,
        );
        await refusedWith(api.call('POST', `${base}/one/update`, { Name: 'one' }), 400, /invalid .* version/);
        assert.equal(
          (await api.call('POST', `${base}/one/update${at}`, { Name: 'one', Labels: { a: 'b' } })).status,
          200,
        );
        assert.deepEqual((await api.call('GET', `${base}/${made.body.ID}`)).body.Spec.Labels, { a: 'b' });
        await refusedWith(api.call('POST', `${base}/one/update${at}`, { Name: 'one' }), 500, /update out of sequence/);
        assert.equal((await api.call('DELETE', `${base}/one`)).status, 204);
        await refusedWith(api.call('DELETE', `${base}/one`), 404, new RegExp(`${kind} one not found`));
      });
    }
  });
});
