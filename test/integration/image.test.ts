import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { run, tryRun } from '../../src/lab/run.js';
import { packageRoot } from '../../src/model/paths.js';
import { eventually, labForTests } from '../helpers/lab.js';

const read = (path: string) => readFileSync(join(packageRoot(), path), 'utf8');

/** What `npm prune --omit=dev` leaves: the folders of packages that are not for development only. */
function packagesAtRunTime(): string[] {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, { dev?: boolean }> };
  const names = Object.keys(packages).filter((path) => path !== '' && packages[path]?.dev !== true);
  return names.filter((path) => path.lastIndexOf('node_modules/') === 0); // the others are within these
}

/** The `docker run` of deploy/README.md, as words; `places` replaces what the machine has elsewhere. */
function documentedRun(places: Record<string, string>): string[] {
  const block = /^ {4}docker run [\s\S]*?[^\\]$/m.exec(read('deploy/README.md'))?.[0] ?? '';
  const line = Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), block);
  return line.replaceAll('\\\n', ' ').trim().split(/\s+/);
}

describe("the daemon's image", function () {
  this.timeout(240_000);
  const lab = labForTests(1, { daemonFlags: undefined });
  const host = () => lab().hosts[0] as Host;
  const engine = () => `unix://${host().engineSocket}`;
  const must = async (...command: string[]) => {
    const { code, stdout, stderr } = await host().exec(command);
    assert.equal(code, 0, `${command.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const cluster = (...args: string[]) => must('docker', '-H', 'unix:///run/shoal/shoal.sock', ...args);
  const atEngine = (...args: string[]) => must('docker', '-H', engine(), ...args);

  it('serves a cluster with networks, secrets and low ports, with the capabilities that it needs and no others', async () => {
    const root = packageRoot();
    const state = join(dirname(host().daemonLog), 'image-state');
    await run('bash', ['-c', `DOCKER_HOST=${engine()} ${join(root, 'deploy/make-base-image')}`]);
    const context = ['package.json', 'LICENSE', 'bin', 'proto', 'dist/src', 'deploy', ...packagesAtRunTime()];
    const build = `tar -C ${root} -ch ${context.join(' ')} | DOCKER_BUILDKIT=0 docker -H ${engine()} build -q -f deploy/Dockerfile --build-arg BASE=shoal-base -t shoal -`;
    const built = await tryRun('bash', ['-o', 'pipefail', '-c', build]);
    assert.equal(built.code, 0, built.stderr);

    const words = documentedRun({
      '-v /var/run/docker.sock:': `-v ${host().engineSocket}:`,
      '-v /var/lib/shoal:': `-v ${state}:`,
      '"$(getent group docker | cut -d: -f3)"': '4321',
    });
    await must(words[0]!, '-H', engine(), ...words.slice(1));
    const said = async () => {
      const { stdout, stderr } = await host().exec(['docker', '-H', engine(), 'logs', 'shoal']);
      return stdout + stderr;
    };
    await eventually(async () => ((await said()).includes('daemon started') ? undefined : await said()), 30_000).catch(
      async (error) => assert.fail(`${error}: ${await said()}`),
    );
    assert.equal(await must('stat', '-c', '%a %u %g', '/run/shoal/shoal.sock'), '660 0 4321');

    const table = [...read('deploy/README.md').matchAll(/^\| ([A-Z_, ]+) \| /gm)].flatMap(([, names]) =>
      names!.split(', '),
    );
    const given = (field: string) => atEngine('inspect', '-f', `{{join .HostConfig.${field} " "}}`, 'shoal');
    const added = (await given('CapAdd')).replaceAll('CAP_', '').split(' '); // newer clients put them in order
    assert.deepEqual(added.sort(), table.sort());
    assert.equal(await given('CapDrop'), 'ALL');
    const pid = await atEngine('inspect', '-f', '{{.State.Pid}}', 'shoal');
    const bits = { CHOWN: 0, FOWNER: 3, NET_BIND_SERVICE: 10, NET_ADMIN: 12, SYS_NICE: 23 };
    const mask = table.reduce((sum, name) => sum + 2 ** bits[name as keyof typeof bits], 0);
    const effective = await must('sed', '-n', 's/^CapEff:\\s*//p', `/proc/${pid}/status`);
    assert.equal(Number.parseInt(effective, 16), mask);

    await cluster('swarm', 'init', '--advertise-addr', host().address);
    await cluster('network', 'create', '-d', 'overlay', 'inner');
    await must('sh', '-c', 'printf hush | docker -H unix:///run/shoal/shoal.sock secret create key -');
    const web = [
      '--name',
      'web',
      '--network',
      'inner',
      '-p',
      '80:80',
      '--secret',
      'source=key,uid=1000,gid=1000,mode=0400',
    ];
    await cluster('service', 'create', '--detach', ...web, 'shoal/web:1');
    const task = () => atEngine('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web');
    const tasks = async () => `${await cluster('service', 'ps', '--no-trunc', 'web')}\n${await said()}`;
    await eventually(async () => ((await task()) === '' ? tasks() : undefined));
    const secret = async () =>
      atEngine('exec', await task(), 'sh', '-c', 'cat /run/secrets/key; stat -c " %u %a" /run/secrets/key');
    assert.equal(await secret(), 'hush 1000 400');
    await eventually(async () => {
      const answer = await host().exec(['wget', '-q', '-O', '-', `http://${host().address}:80/`]);
      return answer.code === 0 ? undefined : `${answer.stderr} ${await tasks()}`;
    });
    const named = await atEngine('exec', await task(), 'wget', '-q', '-O', '-', 'http://web/');
    assert.notEqual(named, '', 'by its name, on the network');
    const complaints = /EPERM|EACCES|EROFS|not permitted|denied|read-only/i;
    assert.deepEqual(
      (await said()).split('\n').filter((line) => complaints.test(line)),
      [],
    );

    await cluster('swarm', 'leave', '--force');
    assert.equal(await task(), '');
    assert.equal(await must('sh', '-c', 'ls -A /run/shoal'), 'shoal.sock');
    await atEngine('stop', 'shoal');
    assert.equal(await atEngine('inspect', '-f', '{{.State.ExitCode}}', 'shoal'), '0');
  });
});
