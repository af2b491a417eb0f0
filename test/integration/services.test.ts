import assert from 'node:assert/strict';
import { shoalCommand } from '../../src/lab/daemon-command.js';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { api, docker, eventually, formCluster, labForTests, shoal } from '../helpers/lab.js';
import { converged, nodesOf, nodesReady, runningOf, tasksOf, webSpec } from '../helpers/service.js';

interface Declared {
  ID: string;
  Spec: object;
  DesiredState?: string;
  NodeID?: string;
}
interface Preview {
  Changes: { Field: string; Before: string; After: string }[];
  Tasks: { Service: string; Name: string; Action: string; FromNode: string; ToNode: string; Reason: string }[];
  Nodes: { Node: string; Kept: number; Stopped: number; Started: number }[];
  Steps: number;
}

describe('all that a service can ask for', function () {
  this.timeout(180_000);
  const lab = labForTests(3, { engineFlags: ['--label', 'disk=ssd'] });
  const manager = () => lab().hosts[0] as Host;
  const must = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await shoal(manager(), ...args);
    assert.equal(code, 0, `shoal ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const named = async () => new Map((await nodesOf(manager())).map((node) => [node.ID, node.Description.Hostname]));
  /** How many running tasks each node has. */
  const spreadOf = async (service: string): Promise<Record<string, number>> => {
    const names = await named();
    const counts: Record<string, number> = {};
    for (const { NodeID } of await runningOf(manager(), service)) {
      const name = names.get(NodeID) ?? '';
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return counts;
  };

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(manager(), 3);
  });

  describe('looked at before it is done', () => {
    /** All that is declared, and what follows from it. */
    const declared = async () => {
      const kinds = ['services', 'tasks', 'nodes'].map((kind) => api<Declared[]>(manager(), 'GET', `/${kind}`));
      const all = (await Promise.all(kinds)).flatMap(({ body }) => body);
      const shown = all.filter(({ DesiredState }) => DesiredState !== 'remove'); // those are on their way out already
      return JSON.stringify(shown.map(({ ID, Spec, DesiredState, NodeID }) => [ID, Spec, DesiredState, NodeID]));
    };
    /** What the command says would happen; seen to change nothing. */
    const dry = async (object: string, verb: string, ...args: string[]): Promise<Preview> => {
      const before = await declared();
      const preview = JSON.parse(await must(object, verb, '--dry-run=json', ...args)) as Preview;
      assert.equal(await declared(), before, `${object} ${verb} --dry-run changed something`);
      return preview;
    };
    const nodesAfter = ({ Tasks }: Preview) => {
      const counts: Record<string, number> = {};
      for (const { Action, ToNode } of Tasks) if (Action !== 'stop') counts[ToNode] = (counts[ToNode] ?? 0) + 1;
      return counts;
    };
    const actions = ({ Tasks }: Preview) => Tasks.map(({ Action }) => Action).sort();

    it('is done as it was said: created, updated, scaled, drained, rolled back, removed', async () => {
      const create = ['-d', '--name', 'web', '--replicas', '4', '--update-parallelism', '0'];
      const policy = ['--rollback-parallelism', '0', '--update-monitor', '1s', '--rollback-monitor', '1s'];
      const created = await dry('service', 'create', ...create, ...policy, 'shoal/web:1');
      assert.deepEqual(actions(created), Array(4).fill('start'));
      await must('service', 'create', ...create, ...policy, 'shoal/web:1');
      await converged(manager(), 'web', 4);
      assert.deepEqual(Object.values(await spreadOf('web')).sort(), Object.values(nodesAfter(created)).sort());

      const change = ['--image', 'shoal/web:2', '--env-add', 'A=1', 'web'];
      const updated = await dry('service', 'update', ...change);
      assert.deepEqual(actions(updated), Array(4).fill('replace'));
      const fields = updated.Changes.map(({ Field }) => Field).sort();
      assert.deepEqual(fields, ['TaskTemplate.ContainerSpec.Env', 'TaskTemplate.ContainerSpec.Image']);
      const diff = await must('service', 'diff', ...change);
      assert.match(diff, /~ TaskTemplate\.ContainerSpec\.Image: "shoal\/web:1" -> "shoal\/web:2"/);
      assert.match(diff, /\+ TaskTemplate\.ContainerSpec\.Env: .*A=1/);
      assert.match(diff, /4 replaced/);
      await must('service', 'update', '-d', ...change);
      await converged(manager(), 'web', 4, ({ Spec }) => Spec.ContainerSpec.Image === 'shoal/web:2');
      assert.deepEqual(Object.values(await spreadOf('web')).sort(), Object.values(nodesAfter(updated)).sort());

      const scaled = await dry('service', 'scale', 'web=6');
      assert.deepEqual(actions(scaled), [...Array(4).fill('keep'), 'start', 'start']);
      await must('service', 'scale', '-d', 'web=6');
      await converged(manager(), 'web', 6);
      assert.deepEqual(Object.values(await spreadOf('web')).sort(), Object.values(nodesAfter(scaled)).sort());

      const drained = await dry('node', 'update', '--availability', 'drain', 'node3');
      assert.deepEqual(actions(drained), [...Array(4).fill('keep'), 'replace', 'replace']);
      assert.deepEqual(nodesAfter(drained), { node1: 3, node2: 3 });
      assert.deepEqual(drained.Nodes.find(({ Node }) => Node === 'node3')?.Stopped, 2);
      await must('node', 'update', '--availability', 'drain', 'node3');
      await eventually(async () => ((await spreadOf('web')).node3 === undefined ? undefined : 'node3 has tasks'));
      await converged(manager(), 'web', 6);
      assert.deepEqual(await spreadOf('web'), nodesAfter(drained));
      await must('node', 'update', '--availability', 'active', 'node3');

      const rolled = await dry('service', 'rollback', 'web'); // of the scaling: two go
      assert.deepEqual(actions(rolled), [...Array(4).fill('keep'), 'stop', 'stop']);
      await must('service', 'rollback', '-d', 'web');
      await converged(manager(), 'web', 4);

      const removed = await dry('service', 'rm', 'web');
      assert.deepEqual(actions(removed), Array(4).fill('stop'));
      await must('service', 'rm', 'web');
    });

    it('says why what cannot be placed would wait, to people and through the API, and refuses what would be refused', async () => {
      const picky = ['--name', 'picky', '--constraint', 'node.labels.zone==mars', 'shoal/web:1'];
      const reason = 'no suitable node (scheduling constraints not satisfied on 3 nodes)';
      const shown = await must('service', 'create', '--dry-run', ...picky);
      assert.ok(shown.startsWith('Dry run: nothing was changed.'), shown);
      assert.match(shown, /picky\.1 +wait +1 +no suitable node \(scheduling constraints not satisfied on 3 nodes\)/);
      const spec = webSpec('picky', 2, {});
      Object.assign(spec.TaskTemplate, { Placement: { Constraints: ['node.labels.zone==mars'] } });
      const asked = await api<Preview>(manager(), 'POST', '/services/create?dryRun=true', spec);
      assert.equal(asked.status, 200);
      assert.deepEqual(
        asked.body.Tasks.map(({ Action, Reason }) => [Action, Reason]),
        Array(2).fill(['wait', reason]),
      );
      const wrong = await shoal(
        manager(),
        'service',
        'create',
        '--dry-run',
        '--constraint',
        'node.labels.zone=mars',
        'shoal/web:1',
      );
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /constraint expected one operator from ==, !=/);
      assert.equal((await api<unknown[]>(manager(), 'GET', '/services')).body.length, 0);
    });
  });

  describe('on its nodes', () => {
    it('has templates filled in for each task: environment, hostname, mounts and configs', async () => {
      const template = 'node={{.Node.Hostname}} os={{.Node.Platform.OS}} slot={{.Task.Slot}} env={{env "COLOUR"}}\n';
      const [program, ...rest] = shoalCommand('-H', `unix://${manager().apiSocket}`, 'config', 'create') as [string];
      const made = await tryRun(program, [...rest, '--template-driver', 'golang', 'page', '-'], { input: template });
      assert.equal(made.code, 0, made.stderr);
      await must(
        ...['service', 'create', '--name', 'plate', '--replicas', '3', '--label', 'tier=front'],
        ...['--hostname', '{{.Service.Name}}-{{.Task.Slot}}', '--config', 'source=page,target=/page,mode=0440'],
        ...['--env', 'COLOUR=blue'],
        ...['--env', 'WHO={{.Service.Name}}/{{index .Service.Labels "tier"}} on {{.Node.Hostname}} as {{.Task.Name}}'],
        ...['--mount', 'type=volume,source=data-{{.Task.Slot}},target=/data', 'shoal/web:1'],
      );
      const names = await named();
      for (const task of await converged(manager(), 'plate', 3)) {
        const node = names.get(task.NodeID) ?? '';
        const host = lab().hosts.find(({ name }) => name === node) as Host;
        const id = task.Status.ContainerStatus?.ContainerID ?? '';
        const inside = async (command: string) =>
          (await docker(host, 'engine', 'exec', id, 'sh', '-c', command)).stdout.trim();
        const who = `plate/front on ${node} as plate.${task.Slot}.${task.ID}`;
        assert.equal(await inside('hostname'), `plate-${task.Slot}`);
        assert.equal(await inside('echo $WHO'), who);
        assert.equal(await inside('cat /page'), `node=${node} os=linux slot=${task.Slot} env=blue`);
        const mounts = await docker(host, 'engine', 'inspect', '--format', '{{range .Mounts}}{{.Name}} {{end}}', id);
        assert.equal(mounts.stdout.trim(), `data-${task.Slot}`);
      }
      const refused = await shoal(
        manager(),
        'service',
        'create',
        '--env',
        'A={{.Nope}}',
        '--name',
        'no',
        'shoal/web:1',
      );
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /expanding env failed: expanding env "A=\{\{\.Nope\}\}"/);
      await must('service', 'rm', 'plate');
    });

    it('says of a template that breaks on the node only, on the task', async () => {
      const [program, ...rest] = shoalCommand('-H', `unix://${manager().apiSocket}`, 'config', 'create') as [string];
      const input = '{{secret "nothing"}}';
      await tryRun(program, [...rest, '--template-driver', 'golang', 'broken', '-'], { input });
      await must(...['service', 'create', '-d', '--name', 'odd', '--config', 'broken', 'shoal/web:1']);
      await eventually(async () => {
        const [rejected] = (await tasksOf(manager(), 'odd')).filter(({ Status }) => Status.State === 'rejected');
        if (rejected === undefined) return 'no task was rejected';
        return /expanding config broken failed/.test(rejected.Status.Err ?? '')
          ? undefined
          : `the error is ${rejected.Status.Err}`;
      });
      await must('service', 'rm', 'odd');
      await must('config', 'rm', 'broken');
    });

    it('follows labels of nodes and engines under running tasks, and pause', async () => {
      await must(
        ...['service', 'create', '-d', '--name', 'fast', '--replicas', '3'],
        '--constraint',
        'engine.labels.disk==ssd',
        'shoal/web:1',
      );
      await converged(manager(), 'fast', 3);
      await must('node', 'update', '--label-add', 'zone=a', 'node2');
      await must(
        'service',
        'update',
        '-d',
        '--constraint-add',
        'node.labels.zone==a',
        '--update-parallelism',
        '0',
        'fast',
      );
      await eventually(async () =>
        (await spreadOf('fast')).node2 === 3 ? undefined : JSON.stringify(await spreadOf('fast')),
      );
      await must('node', 'update', '--label-add', 'zone=a', 'node3');
      await must('node', 'update', '--label-rm', 'zone', 'node2');
      await eventually(async () =>
        (await spreadOf('fast')).node3 === 3 ? undefined : JSON.stringify(await spreadOf('fast')),
      );
      await must('node', 'update', '--availability', 'pause', 'node3');
      await must('service', 'scale', '-d', 'fast=4');
      await eventually(async () => {
        const waiting = (await tasksOf(manager(), 'fast')).find(({ Status }) => Status.State === 'pending');
        const why = waiting?.Status.Err ?? '';
        const told =
          'no suitable node (scheduling constraints not satisfied on 2 nodes; 1 node not available for new tasks)';
        return why === told ? undefined : `the task says ${JSON.stringify(why)}`;
      });
      assert.deepEqual(await spreadOf('fast'), { node3: 3 });
      const shown = await must('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}} {{.Error}}', 'fast');
      assert.match(
        shown,
        /Pending .* "no suitable node \(scheduling constraints not satisfied on 2 nodes; 1 node not available/,
      );
      await must('node', 'update', '--availability', 'active', 'node3');
      await converged(manager(), 'fast', 4);
      await must('service', 'rm', 'fast');
    });

    it('keeps to what swarm update sets, at once: history and heartbeats', async () => {
      const forced = ['service', 'update', '-d', '--force', '--update-parallelism', '0', 'kept'];
      await must('service', 'create', '--name', 'kept', 'shoal/web:1');
      for (let round = 1; round <= 3; round++) {
        await must(...forced);
        await converged(manager(), 'kept', 1, ({ Spec }) => Spec.ForceUpdate === round);
      }
      assert.equal((await tasksOf(manager(), 'kept')).length, 4);
      await must('swarm', 'update', '--task-history-limit', '2', '--dispatcher-heartbeat', '2s');
      await eventually(async () => {
        const { length } = await tasksOf(manager(), 'kept');
        return length === 2 ? undefined : `${length} tasks are kept`;
      });
      await must('service', 'rm', 'kept');
    });

    it('refuses to remove a node that is up or a manager, and forgets one that is gone with its tasks', async () => {
      await must('service', 'create', '-d', '--name', 'web', '--replicas', '3', 'shoal/web:1');
      await converged(manager(), 'web', 3);
      const up = await shoal(manager(), 'node', 'rm', 'node3');
      assert.match(up.stderr, /node \w+ is not down and can't be removed/);
      const self = await shoal(manager(), 'node', 'rm', '--force', 'node1');
      assert.match(self.stderr, /is a cluster manager and is a member of the raft cluster/);
      await must('node', 'promote', 'node2');
      await eventually(async () => {
        const node = (await nodesOf(manager())).find(({ Description }) => Description.Hostname === 'node2');
        return node?.ManagerStatus?.Reachability === 'reachable' ? undefined : 'node2 is no manager yet';
      });
      await must('node', 'demote', 'node2');
      await eventually(async () => {
        const node = (await nodesOf(manager())).find(({ Description }) => Description.Hostname === 'node2');
        return node?.ManagerStatus === undefined && node?.Status.State === 'ready'
          ? undefined
          : 'node2 is still a manager';
      });
      await (lab().hosts[2] as Host).crash();
      await converged(manager(), 'web', 3, () => true);
      await eventually(async () =>
        (await spreadOf('web')).node3 === undefined ? undefined : 'tasks count as on node3',
      );
      await must('node', 'rm', 'node3');
      assert.equal((await nodesOf(manager())).length, 2);
      const there = new Set((await nodesOf(manager())).map(({ ID }) => ID));
      await eventually(async () => {
        const orphans = (await tasksOf(manager(), 'web')).filter(
          ({ NodeID, Status }) => !there.has(NodeID) && !/^(orphaned|failed|shutdown|complete)$/.test(Status.State),
        );
        return orphans.length === 0 ? undefined : `${orphans.length} tasks of the node that is gone live on`;
      });
      await must('service', 'rm', 'web');
    });
  });
});
