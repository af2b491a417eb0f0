import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import winston from 'winston';
import { complete } from '../../../src/model/codec.js';
import { packageRoot } from '../../../src/model/paths.js';
import type { ContainerSpecInit } from '../../../src/model/types.js';
import { TaskFiles } from '../../../src/worker/task-files.js';
import { taskID, taskOf } from '../../helpers/node-under-test.js';

const silent = winston.createLogger({ silent: true });
const canary = 'canary-7f3a';
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

describe('files of a task', () => {
  let directory: string;
  let files: TaskFiles;
  beforeEach(() => {
    directory = mkdtempSync('/dev/shm/shoal-files-');
    files = new TaskFiles(directory, silent);
    files.assign(
      true,
      [complete('Secret', { ID: 's1', Spec: { Name: 'key', Data: Buffer.from(canary) } })],
      [
        complete('Config', { ID: 'c1', Spec: { Name: 'conf', Data: Buffer.from('a=b') } }),
        complete('Config', {
          ID: 'c2',
          Spec: { Name: 'tpl', Data: Buffer.from('{{'), Templating: { Name: 'golang' } },
        }),
        complete('Config', { ID: 'c3', Spec: { Name: 'odd', Data: Buffer.from('x'), Templating: { Name: 'jinja' } } }),
      ],
    );
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const file = (Name: string, owner = String(uid)) => ({ Name, UID: owner, GID: String(gid), Mode: 0o440 });
  const secret = (Name: string, SecretID = 's1', owner?: string): ContainerSpecInit => ({
    Secrets: [{ SecretID, SecretName: 'key', File: file(Name, owner) }],
  });
  const bring = (container: ContainerSpecInit) =>
    files.bring(taskOf(1, 'n', container), { Hostname: 'host-a', Platform: null });

  it('are none for a task that asks for none', () => {
    assert.deepEqual(bring({}), []);
    assert.deepEqual(readdirSync(directory), []);
  });

  it('leave no directory behind, unless a task still has its files there', () => {
    bring({ Configs: [{ ConfigID: 'c1', ConfigName: 'conf', File: file('my.conf') }] });
    files.close();
    assert.equal(readdirSync(directory).length, 1);
    files.keepOnly(new Set());
    files.close();
    assert.equal(existsSync(directory), false);
  });

  it('are mounted read-only where Docker has them, with owner and mode as asked', () => {
    const mounts = bring({
      Secrets: [
        { SecretID: 's1', SecretName: 'key', File: file('key.txt') },
        { SecretID: 's1', SecretName: 'key', File: file('/opt/key') },
        { SecretID: 's1', SecretName: 'key' },
      ],
      Configs: [
        { ConfigID: 'c1', ConfigName: 'conf', File: file('my.conf') },
        { ConfigID: 'c1', ConfigName: 'conf', File: file('/etc/my.conf') },
      ],
    });
    assert.deepEqual(
      mounts.map((mount) => [mount.Type, mount.Target, mount.ReadOnly, readFileSync(mount.Source ?? '', 'utf8')]),
      [
        ['bind', '/run/secrets/key.txt', true, canary],
        ['bind', '/opt/key', true, canary],
        ['bind', '/run/secrets/key', true, canary],
        ['bind', '/my.conf', true, 'a=b'],
        ['bind', '/etc/my.conf', true, 'a=b'],
      ],
    );
    const { mode, uid: owner } = statSync(mounts[0]?.Source ?? '');
    assert.deepEqual([mode & 0o7777, owner], [0o440, uid]);
  });

  it('never have a path on the node that a name from outside had a part in', () => {
    const [mount] = bring(secret('../../../../etc/passwd'));
    assert.equal(mount?.Source, join(directory, taskID(1), '0'));
    const stranger = taskOf(1, 'n', secret('x'), { ID: '../../x' });
    assert.throws(() => files.bring(stranger, undefined), /no directory in memory/);
    files.forget('../../x');
  });

  it('can be brought twice', () => {
    bring(secret('x'));
    assert.equal(readFileSync(bring(secret('x'))[0]?.Source ?? '', 'utf8'), canary);
  });

  it('are refused, by name and without their data, when the node cannot give them', () => {
    const refused = (container: ContainerSpecInit, words: RegExp) =>
      assert.throws(
        () => bring(container),
        (error: Error) => words.test(error.message) && !error.message.includes(canary),
      );
    refused(secret('x', 'other'), /secret key was not given to this node/);
    refused(secret('x', 's1', 'root'), /secret key: File\.UID: "root": allowed are numbers/);
    refused({ Configs: [{ ConfigID: 'c2', ConfigName: 'tpl' }] }, /expanding config tpl failed: template: expansion:1/);
    refused(
      { Configs: [{ ConfigID: 'c3', ConfigName: 'odd' }] },
      /config odd: Templating\.Name: jinja: allowed is golang/,
    );
    refused(
      { Configs: [{ ConfigID: 'c1', ConfigName: 'conf', Runtime: {} }] },
      /config conf: Runtime is not supported/,
    );
    files.withdraw(['s1'], ['c1']);
    refused(secret('x'), /was not given/);
    files = new TaskFiles(undefined, silent);
    files.assign(true, [complete('Secret', { ID: 's1', Spec: { Name: 'key' } })], []);
    refused(secret('x'), /no directory in memory/);
  });

  /** What a task with a templated config finds in it. */
  const templated = (text: string, { Configs = [], ...container }: ContainerSpecInit = {}) => {
    const Spec = { Name: 't', Data: Buffer.from(text), Templating: { Name: 'golang' } };
    files.assign(false, [], [complete('Config', { ID: 'c4', Spec })]);
    const mounts = bring({
      ...container,
      Configs: [...Configs, { ConfigID: 'c4', ConfigName: 't', File: file('/t') }],
    });
    return readFileSync(mounts.find(({ Target }) => Target === '/t')?.Source ?? '', 'utf8');
  };

  it('are filled in when they are templates, also from what the task has besides', () => {
    assert.equal(templated('{{.Service.Name}}.{{.Task.Slot}} on {{.Node.Hostname}}\n'), 'web.1 on host-a\n');
    assert.equal(templated('{{env "A"}}|{{env "none"}}', { Env: ['AA=2', 'A=b=c'] }), 'b=c|');
    assert.equal(templated('pw={{secret "key.txt"}}', secret('key.txt')), `pw=${canary}`);
    const Configs = [{ ConfigID: 'c1', ConfigName: 'conf', File: file('/etc/conf') }];
    assert.equal(templated('{{config "/etc/conf"}}!', { Configs }), 'a=b!');
    assert.equal(templated(`${'x'.repeat(900_000)}{{.Task.Slot}}`).length, 900_001);
  });

  it('tell nothing of a secret when a template is broken', () => {
    const broken = (text: string, container?: ContainerSpecInit) => {
      const words = (error: Error) => error.message.includes('expanding') && !error.message.includes(canary);
      assert.throws(() => templated(text, container), words);
    };
    broken('{{range secret "key.txt"}}{{end}}', secret('key.txt'));
    broken('{{secret "other"}}', secret('key.txt'));
    broken('{{config "none"}}');
    const Spec = { Name: 's', Data: Buffer.from(`{{.Nothing "${canary}"}}`), Templating: { Name: 'golang' } };
    files.assign(false, [complete('Secret', { ID: 's2', Spec })], []);
    assert.throws(
      () => bring(secret('x', 's2')),
      /^ShoalError: expanding secret key failed: template: expansion:1:2:.*secret\)$/,
    );
    files.assign(false, [complete('Secret', { ID: 's2', Spec: { ...Spec, Data: Buffer.from([0xff]) } })], []);
    assert.throws(() => bring(secret('x', 's2')), /expanding secret key failed/);
  });

  it('are refused on a disk when they are secret', function () {
    const disk = mkdtempSync(join(packageRoot(), 'dist/files-'));
    after(() => rmSync(disk, { recursive: true, force: true }));
    if (statfsIsMemory(disk)) this.skip();
    files = new TaskFiles(disk, silent);
    files.assign(true, [complete('Secret', { ID: 's1', Spec: { Name: 'key', Data: Buffer.from(canary) } })], []);
    assert.throws(() => bring(secret('x')), /not a tmpfs/);
    assert.deepEqual(readdirSync(join(disk, taskID(1))), []);
  });

  it('are gone with their task, and with those that are not there any more', () => {
    bring(secret('x'));
    files.forget(taskID(1));
    assert.deepEqual(readdirSync(directory), []);
    bring(secret('x'));
    mkdirSync(join(directory, taskID(2)));
    files.keepOnly(new Set([taskID(2)]));
    assert.deepEqual(readdirSync(directory), [taskID(2)]);
  });

  it('stop nothing but their own task when the directory cannot be used', () => {
    const said: string[] = [];
    const log = { error: (message: string) => said.push(message) } as unknown as winston.Logger;
    const blocked = join(directory, 'file');
    writeFileSync(blocked, '');
    files = new TaskFiles(join(blocked, 'files'), log);
    files.keepOnly(new Set());
    files.forget(taskID(1));
    assert.ok(said.length > 0);
    files.assign(true, [complete('Secret', { ID: 's1', Spec: { Name: 'key' } })], []);
    assert.throws(() => bring(secret('x')), /ENOTDIR/);
  });
});

function statfsIsMemory(path: string): boolean {
  return path.startsWith('/dev/shm') || path.startsWith('/run');
}
