import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import type { LoadReport } from '../../src/lab/load.js';
import { packageRoot } from '../../src/model/paths.js';
import { docker, eventually, formCluster, get, labForTests, shoal, startClient } from '../helpers/lab.js';
import { converged, nodesOf, nodesReady, runningOf, tasksOf } from '../helpers/service.js';

const loadProgram = join(packageRoot(), 'dist', 'src', 'lab', 'load.js');

describe('three managers on three real engines', function () {
  this.timeout(180_000);
  const lab = labForTests(3);
  const host = (at: number) => lab().hosts[at] as Host;

  const must = async (on: Host, ...args: string[]) => {
    const output = await shoal(on, ...args);
    assert.equal(output.code, 0, `shoal ${args.join(' ')}: ${output.stderr}`);
    return output.stdout;
  };
  const containersOn = async (on: Host, filter: string) =>
    (await docker(on, 'engine', 'ps', '-a', '-q', '--filter', filter)).stdout.split('\n').filter(Boolean);

  it('make a cluster with swarm init and swarm join', async () => {
    await formCluster(lab(), 3);
    await nodesReady(host(0), 3);
    const listed = await must(
      host(2),
      'node',
      'ls',
      '--format',
      '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}',
    );
    assert.deepEqual(listed.trim().split('\n').sort(), [
      'node1 Ready Active Leader',
      'node2 Ready Active Reachable',
      'node3 Ready Active Reachable',
    ]);
  });

  it('run a replicated service spread evenly, created through a follower', async () => {
    await must(
      host(1),
      'service',
      'create',
      '--name',
      'web',
      '--replicas',
      '6',
      '-p',
      '8080:80',
      '--restart-delay',
      '100ms',
      'shoal/web:1',
    );
    const tasks = await converged(host(0), 'web', 6);
    const perNode = new Map<string, number>();
    for (const task of tasks) perNode.set(task.NodeID, (perNode.get(task.NodeID) ?? 0) + 1);
    assert.deepEqual([...perNode.values()], [2, 2, 2]);
    assert.deepEqual(tasks.map((task) => task.Slot).sort(), [1, 2, 3, 4, 5, 6]);
  });

  it('name and label containers as Docker does', async () => {
    const [task] = await runningOf(host(0), 'web');
    assert.ok(task);
    const names = await Promise.all(
      lab().hosts.map((one) =>
        docker(one, 'engine', 'ps', '--filter', `label=com.docker.swarm.task.id=${task.ID}`, '--format', '{{.Names}}'),
      ),
    );
    assert.equal(names.map((output) => output.stdout.trim()).join(''), `web.${task.Slot}.${task.ID}`);
  });

  it('answer on the published port of every node, from different replicas', async () => {
    for (const on of lab().hosts) {
      const seen = new Set<string>();
      await eventually(async () => {
        const answer = await get(lab(), on.address, 8080);
        if (answer !== undefined) seen.add(answer);
        return seen.size === 6 ? undefined : `${on.name} was answered by ${seen.size} replicas`;
      });
    }
  });

  it('scale up and down, newest slots first', async () => {
    await must(host(2), 'service', 'scale', 'web=9');
    await converged(host(2), 'web', 9);
    await must(host(0), 'service', 'scale', 'web=3');
    const tasks = await converged(host(0), 'web', 3);
    assert.equal(new Set(tasks.map((task) => task.NodeID)).size, 3);
    await eventually(async () => {
      const left = (
        await Promise.all(lab().hosts.map((one) => containersOn(one, 'label=com.docker.swarm.service.name=web')))
      ).flat();
      return left.length === 3 ? undefined : `${left.length} containers are left`;
    });
  });

  it('lose no request while every replica is replaced, and end on the new image', async () => {
    const load = startClient(lab(), [
      process.execPath,
      loadProgram,
      ...lab().hosts.map((one) => `http://${one.address}:8080/`),
    ]);
    await must(host(0), 'service', 'update', '--image', 'shoal/web:2', 'web');
    await converged(host(0), 'web', 3, (task) => task.Spec.ContainerSpec.Image.startsWith('shoal/web:2'));
    const report = JSON.parse((await load.stop()).split('\n')[1] ?? '') as LoadReport;
    assert.equal(report.failed, 0, JSON.stringify(report));
    assert.ok((report.answers.v1 ?? 0) > 0 && (report.answers.v2 ?? 0) > 0, JSON.stringify(report));
  });

  it('lose no request on kept connections while every replica is replaced', async () => {
    const load = startClient(lab(), [
      process.execPath,
      loadProgram,
      '--keep-alive',
      ...lab().hosts.map((one) => `http://${one.address}:8080/`),
    ]);
    await must(host(1), 'service', 'update', '--force', 'web');
    const report = JSON.parse((await load.stop()).split('\n')[1] ?? '') as LoadReport;
    assert.equal(report.failed, 0, JSON.stringify(report));
  });

  it('lose no request while a node is drained, and keep it empty', async () => {
    const load = startClient(lab(), [
      process.execPath,
      loadProgram,
      ...lab().hosts.map((one) => `http://${one.address}:8080/`),
    ]);
    await must(host(0), 'node', 'update', '--availability', 'drain', 'node3');
    const drained = (await nodesOf(host(0))).find((node) => node.Description.Hostname === 'node3');
    await converged(host(0), 'web', 3, (task) => task.NodeID !== drained?.ID);
    const report = JSON.parse((await load.stop()).split('\n')[1] ?? '') as LoadReport;
    assert.equal(report.failed, 0, JSON.stringify(report));
    await must(host(0), 'node', 'update', '--availability', 'active', 'node3');
  });

  it('restart a task that was killed, in its slot', async () => {
    const before = await runningOf(host(0), 'web');
    const [victim] = await containersOn(host(0), 'label=com.docker.swarm.service.name=web');
    const running =
      (await docker(host(0), 'engine', 'ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web')).stdout.split(
        '\n',
      )[0] ?? victim;
    await docker(host(0), 'engine', 'kill', String(running));
    const after = await converged(
      host(0),
      'web',
      3,
      (task) => task.Status.ContainerStatus?.ContainerID.startsWith(String(running)) !== true,
    );
    assert.deepEqual(after.map((task) => task.Slot).sort(), before.map((task) => task.Slot).sort());
    const failed = (await tasksOf(host(0), 'web')).find((task) =>
      task.Status.ContainerStatus?.ContainerID.startsWith(String(running)),
    );
    assert.equal(failed?.Status.State, 'failed');
    assert.match(failed?.Status.Err ?? '', /non-zero exit \(137\)/);
  });

  it('reject a task whose image is nowhere, in the words of the engine, and try again', async () => {
    await must(host(0), 'service', 'create', '-d', '--name', 'ghost', '--restart-delay', '200ms', 'shoal/none:9');
    await eventually(async () => {
      const rejected = (await tasksOf(host(0), 'ghost')).filter((task) => task.Status.State === 'rejected');
      if (rejected.length < 2) return `${rejected.length} tasks were rejected`;
      return /shoal\/none/.test(rejected[0]?.Status.Err ?? '') ? undefined : `the error is ${rejected[0]?.Status.Err}`;
    });
    await must(host(0), 'service', 'rm', 'ghost');
  });

  it("bind a host-mode port on the task's node only", async () => {
    await must(
      host(0),
      'service',
      'create',
      '--name',
      'local',
      '--publish',
      'mode=host,target=80,published=9090',
      '--constraint',
      'node.hostname==node2',
      'shoal/web:1',
    );
    assert.match(String(await get(lab(), host(1).address, 9090)), /^v1 /);
    assert.equal(await get(lab(), host(0).address, 9090), undefined);
    await must(host(0), 'service', 'rm', 'local');
  });

  it("send a service's logs from every node", async () => {
    await must(
      host(0),
      'service',
      'create',
      '--name',
      'talk',
      '--replicas',
      '3',
      'shoal/web:1',
      'sh',
      '-c',
      'echo hello from $(hostname); trap "exit 0" TERM; sleep 1000 & wait',
    );
    await eventually(async () => {
      const { stdout } = await shoal(host(1), 'service', 'logs', 'talk');
      const lines = stdout.split('\n').filter((line) => /^talk\.\d\.\S+@node\d\s+\| hello from /.test(line));
      return lines.length === 3 ? undefined : `the logs are: ${stdout}`;
    });
    await must(host(0), 'service', 'rm', 'talk');
  });

  it('leave nothing of a removed service', async () => {
    await must(host(2), 'service', 'rm', 'web');
    await eventually(async () => {
      const left = (
        await Promise.all(lab().hosts.map((one) => containersOn(one, 'label=com.docker.swarm.service.name=web')))
      ).flat();
      return left.length === 0 ? undefined : `${left.length} containers are left`;
    });
    assert.equal(await get(lab(), host(0).address, 8080), undefined);
    await eventually(async () =>
      (await tasksOf(host(0), 'web').catch(() => [])).length === 0 ? undefined : 'tasks are left',
    );
  });
});
