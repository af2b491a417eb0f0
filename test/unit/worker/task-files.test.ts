import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { complete } from '../../../src/model/codec.js';
import { packageRoot } from '../../../src/model/paths.js';
import type { ContainerSpecInit } from '../../../src/model/types.js';
import { TaskFiles } from '../../../src/worker/task-files.js';
import { taskID, taskOf } from '../../helpers/node-under-test.js';

const canary = 'canary-7f3a';
const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;

describe('files of a task', () => {
  let directory: string;
  let files: TaskFiles;
  beforeEach(() => {
    directory = mkdtempSync('/dev/shm/shoal-files-');
    files = new TaskFiles(directory);
    files.assign(
      true,
      [complete('Secret', { ID: 's1', Spec: { Name: 'key', Data: Buffer.from(canary) } })],
      [
        complete('Config', { ID: 'c1', Spec: { Name: 'conf', Data: Buffer.from('a=b') } }),
        complete('Config', {
          ID: 'c2',
          Spec: { Name: 'tpl', Data: Buffer.from('{{'), Templating: { Name: 'golang' } },
        }),
      ],
    );
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const file = (Name: string, owner = String(uid)) => ({ Name, UID: owner, GID: String(gid), Mode: 0o440 });
  const secret = (Name: string, SecretID = 's1', owner?: string): ContainerSpecInit => ({
    Secrets: [{ SecretID, SecretName: 'key', File: file(Name, owner) }],
  });
  const bring = (container: ContainerSpecInit) => files.bring(taskOf(1, 'n', container));

  it('are none for a task that asks for none', () => {
    assert.deepEqual(bring({}), []);
    assert.deepEqual(readdirSync(directory), []);
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
    assert.throws(() => files.bring(stranger), /no directory in memory/);
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
    refused({ Configs: [{ ConfigID: 'c2', ConfigName: 'tpl' }] }, /config tpl: Templating is not supported/);
    refused(
      { Configs: [{ ConfigID: 'c1', ConfigName: 'conf', Runtime: {} }] },
      /config conf: Runtime is not supported/,
    );
    files.withdraw(['s1'], ['c1']);
    refused(secret('x'), /was not given/);
    files = new TaskFiles(undefined);
    files.assign(true, [complete('Secret', { ID: 's1', Spec: { Name: 'key' } })], []);
    refused(secret('x'), /no directory in memory/);
  });

  it('are refused on a disk when they are secret', function () {
    const disk = mkdtempSync(join(packageRoot(), 'dist/files-'));
    after(() => rmSync(disk, { recursive: true, force: true }));
    if (statfsIsMemory(disk)) this.skip();
    files = new TaskFiles(disk);
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
});

function statfsIsMemory(path: string): boolean {
  return path.startsWith('/dev/shm') || path.startsWith('/run');
}
