import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Daemon } from '../../../src/daemon/daemon.js';
import { systemClock, timestamp } from '../../../src/model/clock.js';
import { complete } from '../../../src/model/codec.js';
import { serviceClient } from '../../../src/model/services.js';
import type { Node } from '../../../src/model/types.js';
import { Credentials } from '../../../src/security/credentials.js';
import { loadNodeFile } from '../../../src/security/node-file.js';
import { callOnce } from '../../../src/security/rpc.js';
import { Daemons, initRequest, joinRequest, until } from '../../helpers/daemons.js';
import { RaftGroup } from '../../helpers/raft-group.js';

for (const agreement of ['Raft', 'agreement without Raft'] as const) {
  describe(`daemons that form a cluster over ${agreement}`, function () {
    this.timeout(120_000);
    let daemons: Daemons;

    beforeEach(() => {
      daemons = new Daemons(agreement === 'Raft' ? undefined : new RaftGroup());
    });
    afterEach(() => daemons.close());

    const tokens = async (daemon: Daemon) => {
      const { Worker, Manager } = (await daemon.manager()!.read()).cluster()!.JoinTokens!;
      return { worker: Worker, manager: Manager };
    };
    const serves = (daemon: Daemon) =>
      daemon
        .manager()!
        .read()
        .then(
          () => true,
          () => false,
        );
    const nodeOf = async (asked: Daemon, subject: Daemon): Promise<Node> =>
      (await asked.manager()!.read()).get('Node', subject.local().nodeID)!;

    const setRole = async (asked: Daemon, subject: Daemon, role: string) => {
      const node = await nodeOf(asked, subject);
      asked.manager()!.checkRoleChange(node, role);
      await asked.manager()!.propose({
        Origin: 'test',
        Time: timestamp(systemClock),
        Operations: [{ Action: 'update', ID: node.ID, Node: { ...node, Spec: { ...node.Spec, Role: role } } }],
      });
    };

    /** One manager that founded the cluster, and as many further managers and workers. */
    async function cluster(managers: number, workers: number): Promise<{ all: Daemon[]; addresses: string[] }> {
      const first = await daemons.options();
      const founder = await daemons.start(first);
      await founder.init(initRequest());
      const all = [founder];
      const addresses = [first.listenAddress];
      const { worker, manager } = await tokens(founder);
      for (let count = 1; count < managers + workers; count++) {
        const options = await daemons.options();
        const daemon = await daemons.start(options);
        await daemon.join(joinRequest(count < managers ? manager : worker, first.listenAddress));
        all.push(daemon);
        addresses.push(options.listenAddress);
      }
      return { all, addresses };
    }

    it('starts in none, founds one with what Docker sets, and comes back into it', async () => {
      const options = await daemons.options();
      const daemon = await daemons.start(options);
      assert.equal(daemon.local().state, 'inactive');
      assert.equal(daemon.manager(), undefined);
      const nodeID = await daemon.init(initRequest());
      const view = await daemon.manager()!.read();
      const object = view.cluster()!;
      assert.equal(object.Spec?.Name, 'default');
      assert.equal(object.Spec?.CAConfig?.NodeCertExpiry, 7_776_000_000_000_000);
      assert.equal(object.DataPathPort, 4789);
      assert.deepEqual(object.DefaultAddrPool, ['10.0.0.0/8']);
      assert.match(object.JoinTokens!.Worker, /^SWMTKN-1-/);
      assert.equal(view.get('Node', nodeID)?.Spec?.Role, 'manager');
      assert.equal(daemon.local().state, 'active');
      await until(() => view.get('Node', nodeID)?.Status?.State === 'ready', 'the founder is ready');
      await assert.rejects(daemon.init(initRequest()), /already part of a swarm/);

      await daemon.stop();
      const again = await daemons.start(options);
      assert.equal(again.local().nodeID, nodeID);
      await until(() => again.local().state === 'active', 'the manager is back');
    });

    it('takes in managers and workers by the token that they show', async () => {
      const { all } = await cluster(3, 1);
      const [founder, second, third, worker] = all as [Daemon, Daemon, Daemon, Daemon];
      assert.equal(founder.manager()!.managers().size, 3);
      for (const daemon of all) {
        await until(async () => (await nodeOf(founder, daemon)).Status?.State === 'ready', 'the node is ready');
      }
      assert.ok(second.manager() && third.manager());
      assert.equal(worker.manager(), undefined);
      assert.equal((await nodeOf(founder, worker)).Spec?.Role, 'worker');
      await until(() => worker.local().remoteManagers.length === 3, 'the worker knows every manager');
    });

    it('refuses tokens that are no token, of another cluster, or rotated', async () => {
      const { all, addresses } = await cluster(1, 0);
      const founder = all[0]!;
      const { worker } = await tokens(founder);
      const joiner = await daemons.start(await daemons.options());
      const join = (token: string) => joiner.join(joinRequest(token, addresses[0]!));
      await assert.rejects(join('SWMTKN-1-x'), { code: 'invalid-argument', message: 'invalid join token' });
      const foreign = `SWMTKN-1-${'0'.repeat(50)}-${worker.slice(-25)}`;
      await assert.rejects(join(foreign), { code: 'invalid-argument', message: /does not match fingerprint/ });
      const guessed = `${worker.slice(0, -25)}${'0'.repeat(25)}`;
      await assert.rejects(join(guessed), { message: 'A valid join token is necessary to join this cluster' });
      const { Spec, Version } = (await founder.manager()!.read()).cluster()!;
      const rotate = { workerToken: true, managerToken: false, unlockKey: false };
      await founder.manager()!.updateSwarm({ version: Version!.Index, spec: Spec!, rotate });
      await assert.rejects(join(worker), { message: 'A valid join token is necessary to join this cluster' });
      assert.equal(joiner.local().state, 'inactive');
      await join((await tokens(founder)).worker);
      assert.equal(joiner.local().state, 'active');
      assert.equal((await founder.manager()!.read()).count('Node'), 2);
    });

    it('joins and writes through a manager that is not the leader', async () => {
      const { all, addresses } = await cluster(3, 0);
      const { worker, manager } = await tokens(all[1]!);
      for (const [token, isManager] of [
        [manager, true],
        [worker, false],
      ] as const) {
        const daemon = await daemons.start(await daemons.options());
        await daemon.join(joinRequest(token, addresses[2]!));
        assert.equal(daemon.manager() !== undefined, isManager);
      }
      assert.equal(all[0]!.manager()!.managers().size, 4);
    });

    it('tries the other managers when one is out of reach, and says so when all are', async () => {
      const { all, addresses } = await cluster(1, 0);
      const { worker } = await tokens(all[0]!);
      const daemon = await daemons.start(await daemons.options());
      const dead = '127.0.0.1:1';
      await assert.rejects(daemon.join(joinRequest(worker, dead)), { code: 'unavailable', message: /127\.0\.0\.1:1/ });
      await daemon.join(joinRequest(worker, dead, { remoteAddresses: [dead, addresses[0]!] }));
      assert.equal(daemon.local().state, 'active');
    });

    it('promotes a worker and demotes it again, at run time', async () => {
      const { all } = await cluster(1, 1);
      const [founder, worker] = all as [Daemon, Daemon];
      await setRole(founder, worker, 'manager');
      await until(() => worker.manager() !== undefined, 'the worker became a manager');
      await until(() => serves(worker), 'it serves');
      assert.equal(founder.manager()!.managers().size, 2);
      assert.equal((await worker.manager()!.read()).count('Node'), 2);
      const firstID = (await nodeOf(founder, worker)).RaftID;

      await setRole(founder, worker, 'worker');
      await until(() => worker.manager() === undefined, 'it is a worker again');
      assert.equal(founder.manager()!.managers().size, 1);
      const node = await nodeOf(founder, worker);
      assert.equal(node.CertificateRole, 'worker');
      assert.equal(node.RaftID, 0);

      await setRole(founder, worker, 'manager');
      await until(() => worker.manager() !== undefined, 'it is a manager once more');
      assert.notEqual((await nodeOf(founder, worker)).RaftID, firstID, 'a Raft id is never used twice');
    });

    it('takes in a manager that needs more than one message to catch up, once', async () => {
      const { all, addresses } = await cluster(1, 0);
      const [founder] = all as [Daemon];
      for (let number = 0; number < 6; number++) {
        await founder.manager()!.propose({
          Origin: 'test',
          Time: timestamp(systemClock),
          Operations: [
            {
              Action: 'create',
              Config: { ID: `config${number}`, Spec: { Name: `c${number}`, Data: Buffer.alloc(500_000, 1) } },
            },
          ],
        });
      }
      const opened: number[] = [];
      daemons.raftOpened = ({ self }) => opened.push(self.id);
      const joiner = await daemons.start(await daemons.options());
      await joiner.join(joinRequest((await tokens(founder)).manager, addresses[0]!));
      await until(() => joiner.manager() !== undefined, 'it is a manager');
      await until(() => serves(joiner), 'it serves');
      assert.equal((await joiner.manager()!.read()).count('Config'), 6);
      await setRole(founder, joiner, 'worker');
      await until(() => joiner.manager() === undefined, 'it is a worker');
      assert.deepEqual(opened, [2], 'it was one member all the time');
    });

    it('does not come back as the member whose log it deleted', async () => {
      const { all } = await cluster(2, 0);
      const [founder, second] = all as [Daemon, Daemon];
      const { RaftID } = await nodeOf(founder, second);
      const opened: number[] = [];
      daemons.raftOpened = ({ self }) => opened.push(self.id);
      await setRole(founder, second, 'worker');
      await until(() => second.manager() === undefined, 'it is a worker');
      await setRole(founder, second, 'manager');
      await until(() => second.manager() !== undefined, 'it is a manager again');
      await until(() => serves(second), 'it serves');
      assert.deepEqual(opened, [RaftID + 1]);
    });

    it('hands leadership over when the leader is demoted, and never demotes the last manager', async () => {
      const { all } = await cluster(2, 0);
      const [founder, second] = all as [Daemon, Daemon];
      await setRole(founder, founder, 'worker');
      await until(() => founder.manager() === undefined, 'the former leader is a worker');
      assert.equal(second.manager()!.managers().size, 1);
      const last = await nodeOf(second, second);
      assert.throws(() => second.manager()!.checkRoleChange(last, 'worker'), {
        message: 'attempting to demote the last manager of the swarm',
      });
    });

    it("removes nodes as Docker does, and refuses a removed node's certificate from then on", async () => {
      const { all } = await cluster(2, 1);
      const [founder, second, worker] = all as [Daemon, Daemon, Daemon];
      const manager = founder.manager()!;
      await until(async () => (await nodeOf(founder, worker)).Status?.State === 'ready', 'the worker is ready');
      const [secondNode, workerNode] = [await nodeOf(founder, second), await nodeOf(founder, worker)];
      await assert.rejects(manager.removeNode(secondNode, true), /It must be demoted to worker before removal/);
      await assert.rejects(manager.removeNode(workerNode, false), /is not down and can't be removed/);
      await manager.removeNode(workerNode, true);
      await until(() => worker.local().state === 'error', 'the removed node knows');
      assert.match(worker.local().error, /was removed from the cluster/);
      assert.equal((await manager.read()).get('Node', workerNode.ID), undefined);
      await worker.leave();
      assert.equal(worker.local().state, 'inactive');
    });

    it("does not take a demoted manager's old certificate for one, on managers and workers alike", async () => {
      const { all, addresses } = await cluster(2, 1);
      const [founder, second, worker] = all as [Daemon, Daemon, Daemon];
      const directory = daemons.directoryOf(second);
      const old = new Credentials((await loadNodeFile(join(directory, 'certificates'))).material);
      const asManager = { credentials: old.credentials(), timeout_ms: 5_000 };
      const joinRaft = (address: string) => callOnce('Membership', 'JoinRaft', address, { Addr: 'h:1' }, asManager);
      const tunnel = (address: string) =>
        new Promise<string>((resolve) => {
          const client = serviceClient('Tunnel', address, old.credentials());
          const call = client.Connect();
          call.on('data', () => {});
          call.on('error', ({ message }) => {
            client.close();
            resolve(message);
          });
        });
      assert.match(await tunnel(addresses[2]!), /no socket/, 'as a manager it gets as far as the engine');
      await assert.rejects(joinRaft(addresses[0]!), {
        code: 'failed-precondition',
        message: /^Format: the caller writes the log as format 0/,
      });
      await setRole(founder, second, 'worker');
      await until(() => second.manager() === undefined, 'it is a worker');
      await assert.rejects(joinRaft(addresses[0]!), { code: 'forbidden', message: /is not a manager any more/ });
      await until(async () => /not a manager any more/.test(await tunnel(addresses[2]!)), 'the worker was told');
      await setRole(founder, second, 'manager');
      await until(() => second.manager() !== undefined, 'it is a manager again');
      await until(() => serves(second), 'it serves, with the certificate that it has now');
      assert.ok(worker.local().remoteManagers.length > 0);
    });

    it('leaves nothing behind when the node cannot leave in good order', async () => {
      const { all } = await cluster(1, 0);
      const directory = daemons.directoryOf(all[0]!);
      const worker = daemons.workerOf(directory);
      const stop = worker.stop.bind(worker);
      worker.stop = async () => {
        await stop();
        throw new Error('it does not stop in good order');
      };
      daemons.engines.get(all[0]!)!.list = () => Promise.reject(new Error('the engine is gone'));
      await all[0]!.leave();
      assert.equal(all[0]!.local().state, 'inactive');
      await assert.rejects(stat(join(directory, 'node.json')));
    });

    it('lets a manager leave without costing the others their quorum', async () => {
      const { all } = await cluster(2, 0);
      const [founder, second] = all as [Daemon, Daemon];
      await founder.leave();
      assert.equal(founder.local().state, 'inactive');
      assert.equal(second.manager()!.managers().size, 1);
      assert.equal((await second.manager()!.read()).count('Node'), 2);
    });

    it('stops the tasks of a node that leaves as in an update, before their containers are removed', async () => {
      const { all } = await cluster(1, 2);
      const [founder, leaver] = all as [Daemon, Daemon];
      const manager = founder.manager()!;
      await until(
        async () => [...(await manager.read()).list('Node')].every((node) => node.Status?.State === 'ready'),
        'all nodes are ready',
      );
      const Spec = complete('ServiceSpec', {
        Name: 'web',
        TaskTemplate: { ContainerSpec: { Image: 'web' }, Runtime: 'container' },
        Mode: { Replicated: { Replicas: 6 } },
        EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 0, PublishMode: 'ingress' }] },
      });
      const Time = timestamp(systemClock);
      await manager.propose({
        Origin: 'test',
        Time,
        Operations: [{ Action: 'create', ID: 'w', Service: { ID: 'w', Spec } }],
      });
      const tasks = async () => [...(await manager.read()).list('Task')];
      const running = async () =>
        (await tasks()).filter(({ Status, DesiredState }) => `${Status?.State} ${DesiredState}` === 'running running');
      await until(async () => (await running()).length === 6, 'all tasks run');
      const nodeID = leaver.local().nodeID;
      const before = (await tasks()).filter((task) => task.NodeID === nodeID);
      assert.ok(before.length > 0);
      await leaver.leave();
      const engine = daemons.engines.get(leaver)!;
      assert.equal(engine.containers.size, 0);
      assert.ok((engine.counts.get('stop') ?? 0) >= before.length);
      for (const { ID } of before) {
        assert.equal((await manager.read()).get('Task', ID)?.Status?.State ?? 'shutdown', 'shutdown');
      }
      await until(async () => (await running()).length === 6, 'all tasks run elsewhere');
      assert.ok((await running()).every((task) => task.NodeID !== nodeID));
    });

    it('has a live node that is removed by force stop what it runs, while the tasks run elsewhere', async () => {
      const { all } = await cluster(1, 2);
      const [founder, removed] = all as [Daemon, Daemon];
      const manager = founder.manager()!;
      await until(
        async () => [...(await manager.read()).list('Node')].every((one) => one.Status?.State === 'ready'),
        'all nodes are ready',
      );
      const Spec = complete('ServiceSpec', {
        Name: 'web',
        TaskTemplate: { ContainerSpec: { Image: 'web' }, Runtime: 'container' },
        Mode: { Replicated: { Replicas: 6 } },
      });
      await manager.propose({
        Origin: 'test',
        Time: timestamp(systemClock),
        Operations: [{ Action: 'create', ID: 'w', Service: { ID: 'w', Spec } }],
      });
      const running = async () =>
        [...(await manager.read()).list('Task')].filter(
          ({ DesiredState, Status }) => DesiredState === 'running' && Status?.State === 'running',
        );
      await until(async () => (await running()).length === 6, 'all tasks run');
      const engine = daemons.engines.get(removed)!;
      assert.ok(engine.containers.size > 0);
      const node = await nodeOf(founder, removed);
      await manager.removeNode(node, true);
      await until(() => engine.containers.size === 0, 'the removed node runs nothing');
      assert.ok((engine.counts.get('stop') ?? 0) > 0, 'they were stopped with their grace');
      await until(async () => (await running()).length === 6, 'all tasks run elsewhere');
      assert.match(removed.local().error, /was removed from the cluster/);
      await removed.leave();
    });

    it('says which file is damaged, stays up, and lets the user give the cluster up', async () => {
      const { all } = await cluster(1, 0);
      const options = await daemons.options();
      const daemon = await daemons.start(options);
      await daemon.join(joinRequest((await tokens(all[0]!)).worker, all[0]!.local().remoteManagers[0]!.Addr));
      await daemon.stop();
      for (const file of ['node.json', 'certificates/swarm-node.pem']) {
        const path = join(options.stateDirectory, file);
        const before = await import('node:fs/promises').then(({ readFile }) => readFile(path));
        await writeFile(path, before.subarray(0, 40));
        const broken = await daemons.start(options);
        assert.equal(broken.local().state, 'error');
        assert.ok(broken.local().error.includes(path), broken.local().error);
        await assert.rejects(broken.init(initRequest()), { code: 'already-in-swarm' });
        await writeFile(path, before);
      }
      await writeFile(join(options.stateDirectory, 'node.json'), '{}');
      const broken = await daemons.start(options);
      await broken.leave();
      assert.equal(broken.local().state, 'inactive');
      await assert.rejects(stat(join(options.stateDirectory, 'certificates')));
    });

    it('leaves nothing behind when init or join fails', async () => {
      const { addresses } = await cluster(1, 0);
      const options = { ...(await daemons.options()), listenAddress: addresses[0]! };
      const daemon = await daemons.start(options);
      await assert.rejects(daemon.init(initRequest()), { code: 'invalid-argument', message: /cannot listen on/ });
      assert.equal(daemon.local().state, 'inactive');
      await assert.rejects(stat(join(options.stateDirectory, 'node.json')));
    });

    if (agreement !== 'Raft') {
      it('renews certificates by itself, without a connection being cut', async () => {
        const first = await daemons.options();
        const founder = await daemons.start(first);
        const second_ns = 1e9;
        await founder.init(
          initRequest({ spec: complete('SwarmSpec', { CAConfig: { NodeCertExpiry: 8 * second_ns } }) }),
        );
        const worker = await daemons.start(await daemons.options());
        await worker.join(joinRequest((await tokens(founder)).worker, first.listenAddress));
        const epochs = async () =>
          [founder, worker].map(async (one) => (await nodeOf(founder, one)).Status?.SessionEpoch);
        const expiry = async (daemon: Daemon) => (await nodeOf(founder, daemon)).CertificateExpiry;
        const before = {
          founder: await expiry(founder),
          worker: await expiry(worker),
          epochs: await Promise.all(await epochs()),
        };
        await until(async () => (await expiry(worker)) > before.worker, 'the worker has a new certificate');
        await until(async () => (await expiry(founder)) > before.founder, 'the manager has a new certificate');
        await until(() => Date.now() > Date.parse(before.worker), 'the old certificate has ended');
        assert.deepEqual(await Promise.all(await epochs()), before.epochs, 'the sessions are the same');
        const another = await daemons.start(await daemons.options());
        await another.join(joinRequest((await tokens(founder)).worker, first.listenAddress));
        assert.equal(another.local().state, 'active');
      });

      it('says so when the certificate has ended while the node was away', async () => {
        const first = await daemons.options();
        const founder = await daemons.start(first);
        const second_ns = 1e9;
        await founder.init(
          initRequest({ spec: complete('SwarmSpec', { CAConfig: { NodeCertExpiry: 3 * second_ns } }) }),
        );
        const ended = Date.now() + 3_100;
        await founder.stop();
        await until(() => Date.now() > ended, 'the certificate has ended');
        const again = await daemons.start(first);
        assert.equal(again.local().state, 'error');
        assert.match(again.local().error, /the certificate of this node ended at .* while it was away/);
      });
    } else {
      it('go on from the one manager that is left, when it is told to', async () => {
        const { all, addresses } = await cluster(2, 0);
        const [survivor, lost] = all as [Daemon, Daemon];
        const lostID = lost.local().nodeID;
        await lost.stop();
        await until(async () => !(await serves(survivor)), 'the quorum is lost');
        const nodeID = survivor.local().nodeID;
        assert.equal(await survivor.init(initRequest({ forceNewCluster: true })), nodeID);
        const view = await survivor.manager()!.read();
        assert.equal(view.count('Node'), 2);
        assert.equal(view.get('Node', lostID)?.Spec?.Role, 'worker');
        assert.equal(survivor.manager()!.managers().size, 1);
        const joiner = await daemons.start(await daemons.options());
        await joiner.join(joinRequest((await tokens(survivor)).manager, addresses[0]!));
        assert.equal(survivor.manager()!.managers().size, 2);
      });
    }
  });
}
