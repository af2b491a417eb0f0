import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { docker as dockerAt, eventually, formCluster, labForTests } from '../helpers/lab.js';
import { converged, nodesReady } from '../helpers/service.js';

/** Clients of users: Debian's own, and a newer one where it is. */
const clients = ['/usr/bin/docker', '/usr/local/bin/docker'].filter(existsSync);

describe('an unmodified docker command', function () {
  this.timeout(180_000);
  const lab = labForTests(2);
  const host = (at: number) => lab().hosts[at] as Host;

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 2);
  });

  for (const client of clients) {
    describe(client, () => {
      const docker = (args: readonly string[], input = '', on = host(0), env: NodeJS.ProcessEnv = {}) =>
        tryRun(client, args, {
          env: { DOCKER_HOST: `unix://${on.apiSocket}`, DOCKER_CLI_HINTS: 'false', ...env },
          input,
        });
      const must = async (line: string, input = ''): Promise<string> => {
        const { code, stdout, stderr } = await docker(line.split(' '), input);
        assert.equal(code, 0, `docker ${line}: ${stderr}`);
        return stdout.trim();
      };
      const refused = async (line: string, words: RegExp, code = 1): Promise<void> => {
        const outcome = await docker(line.split(' '));
        assert.equal(outcome.code, code, `docker ${line}: ${outcome.stdout}${outcome.stderr}`);
        assert.match(outcome.stderr, words);
      };

      it('sees the swarm and the engine', async () => {
        assert.equal(
          await must('info --format {{.Swarm.LocalNodeState}},{{.Swarm.Managers}},{{.Swarm.Nodes}}'),
          'active,1,2',
        );
        assert.match(await must('version --format {{.Server.Version}}'), /^\d+\./);
        const nodes = await must('node ls --format {{.Hostname}}/{{.Status}}/{{.Availability}}/{{.ManagerStatus}}');
        assert.deepEqual(nodes.split('\n').sort(), ['node1/Ready/Active/Leader', 'node2/Ready/Active/']);
        assert.equal(await must('node inspect node2 --format {{.Spec.Role}}'), 'worker');
        assert.match(await must('node inspect --pretty self'), /Hostname:\s+node1/);
      });

      it('runs a service, watching it come up, and takes it away', async () => {
        const made = await must(
          'service create --name web --replicas 4 -p 8090:80 --restart-delay 100ms --no-resolve-image shoal/web:1',
        );
        assert.match(made, /converged/);
        assert.equal(
          await must('service ls --format {{.Name}},{{.Mode}},{{.Replicas}},{{.Ports}}'),
          'web,replicated,4/4,*:8090->80/tcp',
        );
        const tasks = (
          await must('service ps web --format {{.Name}},{{.Node}},{{.DesiredState}},{{.CurrentState}}')
        ).split('\n');
        assert.equal(tasks.length, 4);
        for (const task of tasks) assert.match(task, /^web\.[1-4],node[12],Running,Running /);
        assert.match(await must('service inspect --pretty web'), /Service Mode:\s+Replicated\n Replicas:\s+4/);
        assert.match(await must('service scale web=2'), /converged/);
        assert.match(
          await must('service update --env-add A=b --update-monitor 2s --no-resolve-image web'),
          /converged/,
        );
        assert.equal(await must('service inspect web --format {{.Spec.TaskTemplate.ContainerSpec.Env}}'), '[A=b]');
        assert.match(await must('service rollback --detach web'), /^web$/m);
        await must('service rm web');
        await refused('service inspect web', /no such service: web/);
      });

      it('reads the logs of tasks on all nodes, and gets into their containers from the manager', async () => {
        const spec = 'service create -d --name talk --replicas 2 --no-resolve-image shoal/web:1 sh -c';
        const { code } = await docker([...spec.split(' '), 'echo "hello from $HOSTNAME"; exec sleep 1000']);
        assert.equal(code, 0);
        const tasks = await converged(host(0), 'talk', 2);
        assert.equal(new Set(tasks.map((task) => task.NodeID)).size, 2);
        await eventually(async () => {
          const lines = (await must('service logs talk')).split('\n');
          const nodes = lines.map((line) => line.replace(/.*@(node\d) +\|.*hello.*/, '$1'));
          return nodes.sort().join() === 'node1,node2' ? undefined : lines.join('\n');
        });
        assert.match(await must('service logs --raw --timestamps --tail 1 talk'), /^\d{4}-\d\d-\d\dT[^ ]+ hello from/);
        for (const task of tasks) {
          const id = task.Status.ContainerStatus!.ContainerID;
          assert.match(await must(`logs ${id}`), /hello from/);
          assert.equal(await must(`exec -i ${id} cat`, 'through the tunnel'), 'through the tunnel');
          assert.equal(await must(`inspect ${id.slice(0, 12)} --format {{.State.Running}}`), 'true');
          await refused(`exec ${id} sh -c exit\u00a07`, /not found/, 127);
        }
        await must('service rm talk');
      });

      it('keeps secrets and configs, and refuses what Docker refuses', async () => {
        await must('secret create key -', 'canary');
        await must('config create conf -', 'a: b');
        assert.equal(await must('secret ls --format {{.Name}}'), 'key');
        assert.ok(!(await must('secret inspect key')).includes(Buffer.from('canary').toString('base64')));
        assert.match(await must('config inspect --pretty conf'), /a: b/);
        await must('service create -d --name uses --secret key --config conf --no-resolve-image shoal/web:1');
        await refused('secret rm key', /secret 'key' is in use by the following service: uses/);
        await refused('config rm conf', /config 'conf' is in use by the following service: uses/);
        await refused(
          'service create -d --name uses --no-resolve-image shoal/web:1',
          /name conflicts with an existing object: service uses already exists/,
        );
        await refused(
          'service create -d --replicas 4000000 --no-resolve-image shoal/web:1',
          /4000000 is above the limit of 100000 tasks a service/,
        );
        await refused(
          'service create -d --constraint zone --no-resolve-image shoal/web:1',
          /constraint expected one operator from ==, !=/,
        );
        await must('service rm uses');
        await must('secret rm key');
        await must('config rm conf');
      });

      it('changes nodes and the swarm', async () => {
        await must('node update --label-add zone=a node2');
        assert.equal(await must('node ls -q --filter node.label=zone=a').then((text) => text.split('\n').length), 1);
        await must('node update --label-rm zone --availability pause node2');
        assert.equal(await must('node inspect node2 --format {{.Spec.Availability}}'), 'pause');
        await must('node update --availability active node2');
        await must('swarm update --task-history-limit 4');
        assert.equal(await must('info --format {{.Swarm.Cluster.Spec.Orchestration.TaskHistoryRetentionLimit}}'), '4');
        const before = await must('swarm join-token -q worker');
        assert.notEqual(await must('swarm join-token -q --rotate worker'), before);
        assert.match(await must('swarm join-token worker'), /docker swarm join --token SWMTKN-1-/);
        await refused('swarm init', /This node is already part of a swarm/);
        await refused(
          'swarm leave',
          /You are attempting to leave the swarm on a node that is participating as a manager/,
        );
        await refused('node demote node1', /attempting to demote the last manager of the swarm/);
        await refused('node rm node1', /is a cluster manager and is a member of the raft cluster/);
        const worker = await docker(['node', 'ls'], '', host(1));
        assert.match(worker.stderr, /This node is not a swarm manager. Worker nodes can't be used/);
      });

      it('has the node’s own engine for everything else', async () => {
        assert.equal(await must('run --rm shoal/web:1 echo hello'), 'hello');
        assert.equal(await must('run --rm -i shoal/web:1 cat', 'in and out'), 'in and out');
        await refused('run --rm shoal/web:1 false', /^$/);
        await must('run -d --name other shoal/web:1 sleep 1000');
        assert.equal(await must('exec -i other cat', 'into it'), 'into it');
        assert.match(await must('ps --format {{.Names}}'), /^other$/m);
        assert.match(await must('top other'), /sleep 1000/);
        await must('rm -f other');
        const direct = await dockerAt(host(0), 'engine', 'image', 'inspect', '--format', '{{.ID}}', 'shoal/web:1');
        assert.equal(await must('image inspect --format {{.ID}} shoal/web:1'), direct.stdout.trim());
      });

      it('builds images, with and without BuildKit where the client has it', async () => {
        const folder = mkdtempSync(join(tmpdir(), 'shoal-build-'));
        try {
          writeFileSync(join(folder, 'Dockerfile'), 'FROM shoal/web:1\nCOPY file /file\n');
          writeFileSync(join(folder, 'file'), 'content');
          for (const kit of client === '/usr/bin/docker' ? ['0', '1'] : ['0']) {
            const args = ['build', '-q', '-t', `built:${kit}`, folder];
            const built = await docker(args, '', host(0), { DOCKER_BUILDKIT: kit });
            assert.equal(built.code, 0, built.stderr);
            assert.equal(await must(`run --rm built:${kit} cat /file`), 'content');
            await must(`rmi built:${kit}`);
          }
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      });
    });
  }
});
