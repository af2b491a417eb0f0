import assert from 'node:assert/strict';
import type { Host } from '../../src/lab/host.js';
import type { NamespaceHost } from '../../src/lab/namespace-host.js';
import { seededRandom } from '../../src/model/random.js';
import { api, docker, eventually, formCluster, get, labForTests } from '../helpers/lab.js';
import {
  converged,
  createService,
  leaderOf,
  nodesOf,
  nodesReady,
  removeService,
  runningOf,
  tasksOf,
  webSpec,
} from '../helpers/service.js';

const published = { EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080 }] } };

describe('a cluster in trouble', function () {
  this.timeout(240_000);
  const lab = labForTests(3);
  const hosts = () => lab().hosts as readonly Host[];
  const other = (than: Host) => hosts().find((host) => host !== than) as Host;

  before(async () => {
    await formCluster(lab(), 3);
    await nodesReady(hosts()[0] as Host, 3);
  });

  it('runs the tasks of a lost node elsewhere, and none twice once it is back', async () => {
    const [first, , third] = hosts() as [Host, Host, Host];
    await createService(first, webSpec('web', 6, published));
    await converged(first, 'web', 6);
    const lost = (await nodesOf(first)).find((node) => node.Description.Hostname === third.name);
    await third.crash();
    await converged(first, 'web', 6, (task) => task.NodeID !== lost?.ID);
    assert.match(String(await get(lab(), first.address, 8080)), /^v1 /);
    await third.start();
    await nodesReady(first, 3);
    await eventually(async () => {
      const { stdout } = await docker(
        third,
        'engine',
        'ps',
        '-q',
        '--filter',
        'label=com.docker.swarm.service.name=web',
      );
      const supposed = (await runningOf(first, 'web')).filter((task) => task.NodeID === lost?.ID).length;
      const there = stdout.split('\n').filter(Boolean).length;
      return there === supposed ? undefined : `${there} containers run on the node, ${supposed} shall`;
    });
  });

  it('loses nothing acknowledged when the leader is killed while services are created', async () => {
    const leader = await leaderOf(hosts(), hosts()[0] as Host);
    const through = other(leader);
    const acknowledged: string[] = [];
    const creating = (async () => {
      for (let at = 0; at < 20; at++) {
        const { status } = await api(through, 'POST', '/services/create', webSpec(`kept${at}`, 1)).catch(() => ({
          status: 0,
        }));
        if (status === 201) acknowledged.push(`kept${at}`);
        if (at === 6) await leader.signalDaemon('SIGKILL');
        if (status !== 201) await new Promise((resolve) => setTimeout(resolve, 250));
      }
    })();
    await creating;
    assert.ok(acknowledged.length >= 8, `only ${acknowledged.length} were acknowledged`);
    const { body } = await api<{ Spec: { Name: string } }[]>(through, 'GET', '/services');
    const names = new Set(body.map((service) => service.Spec.Name));
    assert.deepEqual(
      acknowledged.filter((name) => !names.has(name)),
      [],
    );
    await leader.startDaemon();
    await nodesReady(through, 3);
    for (const name of acknowledged) await converged(leader, name, 1);
    for (const name of names) if (name.startsWith('kept')) await removeService(through, name);
  });

  it('loses nothing acknowledged when daemons are killed in any order, a minority at a time', async () => {
    const random = seededRandom(7);
    const acknowledged: string[] = [];
    for (let round = 0; round < 5; round++) {
      const victim = hosts()[random.below(3)] as Host;
      const through = other(victim);
      for (let at = 0; at < 4; at++) {
        if (at === 1) await victim.signalDaemon('SIGKILL');
        const name = `any${round}x${at}`;
        const { status } = await api(through, 'POST', '/services/create', webSpec(name, 0)).catch(() => ({
          status: 0,
        }));
        if (status === 201) acknowledged.push(name);
      }
      await victim.startDaemon();
      await nodesReady(victim, 3);
    }
    for (const host of hosts()) {
      const { body } = await api<{ Spec: { Name: string } }[]>(host, 'GET', '/services');
      const names = new Set(body.map((service) => service.Spec.Name));
      assert.deepEqual(
        acknowledged.filter((name) => !names.has(name)),
        [],
        host.name,
      );
    }
    assert.ok(acknowledged.length >= 5, `only ${acknowledged.length} of 20 were acknowledged`);
    for (const name of acknowledged) await removeService(hosts()[0] as Host, name);
  });

  it('keeps every container running when all daemons stop, and takes them over when they are back', async () => {
    const [first] = hosts() as [Host];
    const before = await converged(first, 'web', 6);
    const ids = before.map((task) => task.Status.ContainerStatus?.ContainerID).sort();
    await Promise.all(hosts().map((host) => host.signalDaemon('SIGTERM')));
    const left = await Promise.all(
      hosts().map((host) =>
        docker(host, 'engine', 'ps', '-q', '--no-trunc', '--filter', 'label=com.docker.swarm.service.name=web'),
      ),
    );
    assert.deepEqual(left.flatMap((output) => output.stdout.split('\n').filter(Boolean)).sort(), ids);
    await Promise.all(hosts().map((host) => host.startDaemon()));
    await nodesReady(first, 3);
    const after = await converged(first, 'web', 6);
    assert.deepEqual(after.map((task) => task.Status.ContainerStatus?.ContainerID).sort(), ids);
    await eventually(async () => {
      const answer = await get(lab(), first.address, 8080);
      return answer?.startsWith('v1 ') ? undefined : `the port answers ${answer}`;
    });
  });

  it('moves nothing when the machine stalls under a wave of tasks: who was not scheduled heard nobody', async () => {
    const [first] = hosts() as [Host];
    const before = await converged(first, 'web', 6);
    const all = (signal: 'SIGSTOP' | 'SIGCONT') => Promise.all(hosts().map((host) => host.signalDaemon(signal)));
    await createService(first, webSpec('wave', 12));
    for (let stall = 0; stall < 5; stall++) {
      await all('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 3_500)); // longer than three heartbeats
      await all('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await converged(first, 'wave', 12);
    assert.equal((await tasksOf(first, 'wave')).length, 12, 'no task of the wave was replaced');
    const after = await converged(first, 'web', 6);
    assert.deepEqual(after.map((task) => task.ID).sort(), before.map((task) => task.ID).sort());
    await removeService(first, 'wave');
  });

  it('says when an engine is dead, and uses it again when it is back', async () => {
    const [first, second] = hosts() as [Host, NamespaceHost];
    await second.killEngine();
    await eventually(async () => {
      const node = (await nodesOf(first)).find((one) => one.Description.Hostname === second.name);
      return node?.Status.State === 'down' && /engine/i.test(node.Status.Message ?? '')
        ? undefined
        : `the node is ${JSON.stringify(node?.Status)}`;
    });
    const gone = (await nodesOf(first)).find((one) => one.Description.Hostname === second.name);
    await converged(first, 'web', 6, (task) => task.NodeID !== gone?.ID);
    await second.startEngine();
    await nodesReady(first, 3);
  });

  it('serves the majority while one manager is cut off, which says it has no leader, and heals', async () => {
    const leader = await leaderOf(hosts(), hosts()[0] as Host);
    const rest = other(leader);
    await leader.partition();
    await eventually(async () => {
      const { status } = await api(rest, 'POST', '/services/create', webSpec('apart', 1)).catch(() => ({ status: 0 }));
      return status === 201 || status === 409 ? undefined : `the majority answers ${status}`;
    });
    await eventually(async () => {
      const { status } = await api(leader, 'POST', '/services/create', webSpec('lonely', 1));
      return status === 503 ? undefined : `the minority answers ${status}`;
    });
    await leader.heal();
    await nodesReady(leader, 3);
    await converged(leader, 'apart', 1);
    await removeService(leader, 'apart');
  });

  it('lets managers join and leave while it runs', async () => {
    const [first, second, third] = hosts() as [Host, Host, Host];
    const left = await api<{ message?: string }>(third, 'POST', '/swarm/leave?force=true');
    assert.equal(left.status, 200, left.body?.message);
    await eventually(async () => {
      const node = (await nodesOf(first)).find((one) => one.Description.Hostname === third.name);
      return node?.Status.State === 'down' ? undefined : 'the node that left is not down';
    });
    await createService(second, webSpec('still', 2));
    await converged(first, 'still', 2);
    const { body: swarm } = await api<{ JoinTokens: { Manager: string } }>(first, 'GET', '/swarm');
    const joined = await api<{ message?: string }>(third, 'POST', '/swarm/join', {
      ListenAddr: `${third.address}:2377`,
      AdvertiseAddr: third.address,
      RemoteAddrs: [`${first.address}:2377`],
      JoinToken: swarm.JoinTokens.Manager,
    });
    assert.equal(joined.status, 200, joined.body?.message);
    await eventually(async () => {
      const managers = (await nodesOf(third)).filter(
        (node) => node.ManagerStatus?.Reachability === 'reachable' && node.Status.State === 'ready',
      );
      return managers.length === 3 ? undefined : `${managers.length} managers are reachable`;
    });
    await removeService(third, 'still');
    await removeService(third, 'web');
  });
});
