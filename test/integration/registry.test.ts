import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { tryRun } from '../../src/lab/run.js';
import { docker, eventually, formCluster, labForTests, startClient } from '../helpers/lab.js';
import { converged, nodesReady, tasksOf } from '../helpers/service.js';

const registry = '10.99.0.100:5000';
const user = 'somebody';
const password = 'canary';
/** The line for them in an htpasswd file (`htpasswd -nbB`). */
const passwordLine = 'somebody:$2y$05$.5MQ1acZ4hb9VHhrUdct.uVdc4SjYwDWJiqbd46JVtkA3W2Eu1PzW';

describe('images of a registry that wants a login (Debian’s docker-registry)', function () {
  this.timeout(120_000);
  const lab = labForTests(3, { engineFlags: [`--insecure-registry=${registry}`] });
  const host = (at: number) => lab().hosts[at] as Host;
  const folder = mkdtempSync(join(tmpdir(), 'shoal-registry-'));
  const image = `${registry}/team/web`;
  let server: { stop(): Promise<string> } | undefined;

  before(async () => {
    writeFileSync(join(folder, 'htpasswd'), `${passwordLine}\n`);
    const config = {
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(folder, 'images') } },
      http: { addr: registry },
      auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } },
    };
    writeFileSync(join(folder, 'registry.yml'), JSON.stringify(config)); // JSON is YAML
    server = startClient(lab(), ['docker-registry', 'serve', join(folder, 'registry.yml')]);
    loginWith('right', password);
    loginWith('wrong', 'parrot');
    await formCluster(lab(), 1);
    await nodesReady(host(0), 3);
    await publish('shoal/web:1', '1');
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A client's configuration as `docker login` leaves it. */
  function loginWith(name: string, secret: string): void {
    mkdirSync(join(folder, name));
    const auth = Buffer.from(`${user}:${secret}`).toString('base64');
    writeFileSync(join(folder, name, 'config.json'), JSON.stringify({ auths: { [registry]: { auth } } }));
  }
  const as = (login: 'right' | 'wrong', ...args: string[]) =>
    tryRun('docker', ['--config', join(folder, login), '-H', `unix://${host(0).apiSocket}`, ...args]);
  const must = async (output: Promise<{ code: number; stdout: string; stderr: string }>): Promise<string> => {
    const { code, stdout, stderr } = await output;
    assert.equal(code, 0, stdout + stderr);
    return stdout.trim();
  };
  /** Pushes through the daemon, as a user of it would. */
  const publish = async (from: string, tag: string) => {
    await must(as('right', 'tag', from, `${image}:${tag}`));
    await eventually(async () => {
      const pushed = await as('right', 'push', '-q', `${image}:${tag}`);
      return pushed.code === 0 ? undefined : pushed.stderr;
    });
    await must(as('right', 'rmi', `${image}:${tag}`));
  };
  const create = (name: string, replicas = 1) => [
    'service',
    'create',
    '-d',
    '--name',
    name,
    '--replicas',
    String(replicas),
    '--restart-condition',
    'none',
    '--with-registry-auth',
  ];
  const failedWith = (service: string, words: RegExp) =>
    eventually(async () => {
      const [task] = await tasksOf(host(0), service);
      return words.test(task?.Status.Err ?? '') ? undefined : `${task?.Status.State} ${task?.Status.Err}`;
    });

  it('are pinned to a digest and pulled by three engines; a new tag takes their place', async () => {
    await must(as('right', ...create('web', 3), `${image}:1`));
    const tasks = await converged(host(0), 'web', 3);
    assert.match(tasks[0]!.Spec.ContainerSpec.Image, /\/team\/web:1@sha256:[0-9a-f]{64}$/);
    assert.equal(new Set(tasks.map((task) => task.NodeID)).size, 3, 'every node had to pull');
    await publish('shoal/web:2', '2');
    await must(as('right', 'service', 'update', '-d', '--with-registry-auth', '--image', `${image}:2`, 'web'));
    await converged(host(0), 'web', 3, (task) => /:2@sha256:/.test(task.Spec.ContainerSpec.Image));
    await must(as('right', 'service', 'update', '-d', '--no-resolve-image', '--image', `${image}:1`, 'web'));
    await converged(host(0), 'web', 3, (task) => task.Spec.ContainerSpec.Image === `${image}:1`);
  });

  it('are not had without a login, nor with a wrong password; with the right one the same service comes up', async () => {
    await publish('shoal/web:1', '3');
    const anonymous = create('refused').filter((word) => word !== '--with-registry-auth');
    await must(docker(host(0), 'cluster', ...anonymous, `${image}:3`));
    await failedWith('refused', /no basic auth credentials|authentication required|unauthorized/);
    const made = await as('wrong', ...create('mistaken'), `${image}:3`);
    assert.equal(made.code, 0, made.stderr);
    assert.match(made.stderr, /could not be accessed on a registry to record\s+its digest/);
    await failedWith('mistaken', /authentication required|unauthorized/);
    await must(
      as('right', 'service', 'update', '-d', '--with-registry-auth', '--force', '--image', `${image}:3`, 'mistaken'),
    );
    await converged(host(0), 'mistaken', 1, (task) => /:3@sha256:/.test(task.Spec.ContainerSpec.Image));
  });

  it('leave no trace of the login where it can be read', async () => {
    const seen = await must(as('right', 'service', 'inspect', 'web', 'mistaken'));
    assert.ok(!seen.includes(password) && !seen.includes('RegistryAuth'));
    const header = Buffer.from(JSON.stringify({ username: user, password })).toString('base64');
    for (const secret of [password, header.slice(0, 24), Buffer.from(`${user}:${password}`).toString('base64')]) {
      const found = await tryRun('grep', [
        '-rlaF',
        secret,
        ...lab().hosts.map((one) => join(lab().layout.directory, one.name, 'shoal')),
      ]);
      assert.equal(found.stdout, '', 'on a disk of the cluster');
    }
    await must(as('right', 'service', 'rm', 'web', 'refused', 'mistaken'));
  });
});
