import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { api, docker, eventually, labForTests, shoal } from '../helpers/lab.js';
import { converged, createService, webSpec } from '../helpers/service.js';

describe('a manager whose disk is full', function () {
  this.timeout(240_000);
  const lab = labForTests(1);
  const host = () => lab().hosts[0] as Host;

  /** Runs it on the host, where it must work. */
  async function must(...command: string[]): Promise<void> {
    const { code, stderr } = await host().exec(command);
    assert.equal(code, 0, stderr);
  }

  async function createConfig(number: number): Promise<{ status: number; body: { message?: string } }> {
    const Data = Buffer.alloc(50_000, 'x').toString('base64');
    return api(host(), 'POST', '/configs/create', { Name: `config${number}`, Data });
  }

  it('refuses writes with the reason, serves reads, lets tasks run, and goes on by itself when there is room', async () => {
    const state = join(dirname(host().daemonLog), 'shoal');
    await host().signalDaemon('SIGTERM');
    await must('mount', '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', state);
    await host().startDaemon();
    const { code, stderr } = await shoal(host(), 'swarm', 'init');
    assert.equal(code, 0, stderr);
    await createService(host(), webSpec('web', 2));
    await converged(host(), 'web', 2);
    const containers = async () => (await docker(host(), 'engine', 'ps', '-q', '--no-trunc')).stdout;
    const before = await containers();

    await must('dd', 'if=/dev/zero', `of=${join(state, 'filler')}`, 'bs=1k', 'count=1500');
    let made = 0;
    let refused = await createConfig(made);
    for (; refused.status === 201; refused = await createConfig(made)) made += 1;
    // Whether the first that found no room was made cannot be told; those after it hear why they are not.
    assert.equal(refused.status, 503, refused.body.message);
    const next = await createConfig(1000);
    assert.equal(next.status, 503);
    assert.match(next.body.message ?? '', /the disk of this manager is full/);
    const { status, body } = await api<{ Spec: { Name: string } }[]>(host(), 'GET', '/configs');
    assert.equal(status, 200);
    assert.equal(body.length, made);
    assert.equal((await docker(host(), 'cluster', 'service', 'ls')).code, 0);
    assert.equal(await containers(), before);

    await must('rm', join(state, 'filler'));
    await eventually(async () => {
      const answer = await createConfig(2000);
      return answer.status === 201 ? undefined : answer.body.message;
    });
    await converged(host(), 'web', 2);
    assert.equal(await containers(), before);
    const names = (await api<{ Spec: { Name: string } }[]>(host(), 'GET', '/configs')).body.map((one) => one.Spec.Name);
    assert.ok(!names.includes('config1000') && names.includes('config2000'));
  });
});
