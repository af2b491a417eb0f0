import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '../../src/lab/host.js';
import { Hijacked } from '../helpers/hijack.js';
import { api, docker, eventually, formCluster, labForTests } from '../helpers/lab.js';
import { converged, createService, nodesReady, removeService, tasksOf, webSpec } from '../helpers/service.js';

const onNode2 = { Constraints: ['node.hostname==node2'] };
const upload_bytes = 48 * 1024 * 1024;

/** The containers of tasks on another node, through the manager's API: what `docker` does with them, and what goes wrong on the way. */
describe('a container on another node, at the manager', function () {
  this.timeout(120_000);
  const lab = labForTests(2);
  const host = (at: number) => lab().hosts[at] as Host;
  const folder = mkdtempSync(join(tmpdir(), 'shoal-remote-'));
  let id = '';
  let terminal = '';

  before(async () => {
    await formCluster(lab(), 1);
    await nodesReady(host(0), 2);
    const started = async (name: string, container: object) => {
      const { TaskTemplate } = webSpec(name, 1);
      const ContainerSpec = { ...TaskTemplate.ContainerSpec, Command: ['sh'], ...container };
      await createService(
        host(0),
        webSpec(name, 1, { TaskTemplate: { ...TaskTemplate, ContainerSpec, Placement: onNode2 } }),
      );
      const [task] = await converged(host(0), name, 1);
      return task!.Status.ContainerStatus!.ContainerID;
    };
    id = await started('plain', { Args: ['-c', 'echo out; echo err >&2; exec sleep 1000'] });
    terminal = await started('terminal', { TTY: true, OpenStdin: true });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (...args: string[]) => docker(host(0), 'cluster', ...args);
  const must = async (...args: string[]) => {
    const { code, stdout, stderr } = await at(...args);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const execIn = async (container: string, Cmd: string[], more: object = {}) => {
    const body = { AttachStdin: true, AttachStdout: true, AttachStderr: true, Cmd, ...more };
    const made = await api<{ Id: string }>(host(0), 'POST', `/containers/${container}/exec`, body);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return made.body.Id;
  };
  const exitOf = async (exec: string) => {
    let code: number | undefined;
    await eventually(async () => {
      const { body } = await api<{ Running: boolean; ExitCode: number }>(host(0), 'GET', `/exec/${exec}/json`);
      code = body.ExitCode;
      return body.Running ? 'it runs' : undefined;
    });
    return code;
  };

  it('is inspected, listed, measured, copied from and to', async () => {
    assert.equal(
      await must('inspect', '--format', '{{.State.Status}}/{{.Config.Hostname}}', id),
      `running/${id.slice(0, 12)}`,
    );
    assert.match(await must('top', id), /sleep 1000/);
    assert.match(await must('stats', '--no-stream', '--format', '{{.PIDs}}', id), /^\d+$/);
    assert.match(await must('logs', id), /^out$/m);
    assert.equal(await must('port', id), '');
    assert.match(await must('diff', id), /^$|\/\w/);
    writeFileSync(join(folder, 'here'), 'copied');
    await must('cp', join(folder, 'here'), `${id}:/there`);
    await must('cp', `${id}:/there`, join(folder, 'back'));
    assert.equal(await must('exec', id, 'cat', '/there'), 'copied');
    await must('exec', '-u', '1000', '-w', '/tmp', '-e', 'A=b', id, 'sh', '-c', 'test "$A$(pwd)$(id -u)" = b/tmp1000');
    assert.equal((await at('exec', id, 'sh', '-c', 'exit 7')).code, 7);
    assert.match(
      (await at('exec', id, 'no-such-program')).stderr + (await at('exec', id, 'no-such-program')).stdout,
      /not found/,
    );
  });

  it('has execs with a terminal of the size that the client says', async () => {
    const exec = await execIn(id, ['sh'], { Tty: true });
    const session = await Hijacked.open(host(0).apiSocket, `/exec/${exec}/start`, { Tty: true });
    session.socket.write('echo first\n');
    await session.until('first\r\n');
    assert.equal((await api(host(0), 'POST', `/exec/${exec}/resize?h=33&w=77`)).status, 200);
    session.socket.write('stty size\n');
    await session.until('33 77');
    session.socket.write('exit 9\n');
    await session.ended();
    session.socket.destroy();
    assert.equal(await exitOf(exec), 9);
  });

  it('is attached to, with its terminal', async () => {
    const session = await Hijacked.open(
      host(0).apiSocket,
      `/containers/${terminal}/attach?stream=1&stdin=1&stdout=1&stderr=1`,
    );
    session.socket.write('echo from $((6 * 7))\n');
    await session.until('from 42');
    session.socket.destroy();
    const { body } = await api<{ State: { Running: boolean } }>(host(0), 'GET', `/containers/${terminal}/json`);
    assert.equal(body.State.Running, true, 'who detaches ends nothing');
    const other = await Hijacked.open(host(0).apiSocket, `/containers/${terminal}/attach?logs=1&stream=1&stdout=1`);
    await other.until('from 42');
    other.socket.destroy();
  });

  it('takes a large input as fast as it reads it, whole', async () => {
    const data = randomBytes(upload_bytes);
    const exec = await execIn(id, ['sh', '-c', 'while ! test -e /go; do sleep 0.1; done; sha256sum']);
    const session = await Hijacked.open(host(0).apiSocket, `/exec/${exec}/start`, {});
    session.socket.end(data);
    let left = session.socket.writableLength + 1;
    await eventually(
      async () => {
        const before = left;
        left = session.socket.writableLength;
        return left === before ? undefined : 'bytes are still being taken';
      },
      50_000,
      500,
    );
    assert.ok(
      left > upload_bytes / 2,
      `only ${left} of ${upload_bytes} bytes wait at the client while nobody reads them`,
    );
    await must('exec', id, 'touch', '/go');
    await session.until(createHash('sha256').update(data).digest('hex'));
    assert.equal(await exitOf(exec), 0);
    session.socket.destroy();
  });

  it('takes an archive by an upload in chunks', async () => {
    const file = join(folder, 'large');
    const data = randomBytes(8 * 1024 * 1024);
    writeFileSync(file, data);
    await must('cp', file, `${id}:/large`);
    assert.match(
      await must('exec', id, 'sha256sum', '/large'),
      new RegExp(createHash('sha256').update(data).digest('hex')),
    );
    const call = request({
      socketPath: host(0).apiSocket,
      method: 'PUT',
      path: `/containers/${id}/archive?path=/none`,
    });
    call.on('error', () => {}); // it is refused before it was sent whole
    createReadStream(file).pipe(call);
    const [answer] = await once(call, 'response');
    answer.resume();
    call.destroy();
    assert.equal(answer.statusCode, 404);
  });

  it('sees its client go', async () => {
    const exec = await execIn(id, ['sh', '-c', 'cat >/dev/null; touch /client-went'], {
      AttachStdout: false,
      AttachStderr: false,
    });
    const session = await Hijacked.open(host(0).apiSocket, `/exec/${exec}/start`, {});
    session.socket.write('x');
    session.socket.destroy();
    await eventually(async () =>
      (await at('exec', id, 'ls', '/client-went')).code === 0 ? undefined : 'it waits for input',
    );
  });

  it('is followed until it ends, and a client learns that it did', async () => {
    await must('exec', id, 'true');
    const [followed, waited] = [at('logs', '-f', id), at('wait', id)];
    const session = await Hijacked.open(host(0).apiSocket, `/containers/${id}/attach?stream=1&stdout=1`);
    await removeService(host(0), 'plain');
    assert.match((await followed).stdout, /^out$/m);
    assert.match((await waited).stdout, /^\d+$/m);
    await session.ended();
    session.socket.destroy();
  });

  for (const TTY of [false, true]) {
    it(`writes a log that is followed as tasks come and go${TTY ? ', with terminals' : ''}`, async () => {
      const Args = ['-c', 'trap "echo end $HOSTNAME; exit 0" TERM; echo start $HOSTNAME; while :; do sleep 0.1; done'];
      const { TaskTemplate } = webSpec('talk', 1);
      const ContainerSpec = { ...TaskTemplate.ContainerSpec, Command: ['sh'], Args, TTY };
      await createService(host(0), webSpec('talk', 1, { TaskTemplate: { ...TaskTemplate, ContainerSpec } }));
      await converged(host(0), 'talk', 1);
      let text = '';
      const path = '/services/talk/logs?follow=1&stdout=1&timestamps=1';
      const [followed] = await once(request({ socketPath: host(0).apiSocket, path }).end(), 'response');
      followed.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
      });
      const told = (word: string) => new Set(text.match(new RegExp(`(?<=\\dZ ${word} )\\w{12}(?=\\r?\\n)`, 'g')));
      await must('service', 'scale', '-d', 'talk=3');
      await converged(host(0), 'talk', 3);
      await must(
        'service',
        'update',
        '-d',
        '--no-resolve-image',
        '--update-parallelism',
        '0',
        '--env-add',
        'A=b',
        'talk',
      );
      await converged(host(0), 'talk', 3, ({ Spec }) => Spec.ContainerSpec.Env?.includes('A=b') === true);
      await eventually(async () => (told('start').size === 6 ? undefined : text));
      const end = once(followed, 'end');
      await removeService(host(0), 'talk');
      await end; // with the service
      assert.ok(told('end').size >= 3, text);
    });
  }

  it('is a 503 that names its node, not a silence, when that is cut off', async () => {
    const [task] = await tasksOf(host(0), 'terminal');
    await host(1).partition();
    try {
      const { status, body } = await api<{ message: string }>(host(0), 'GET', `/containers/${terminal}/json`);
      assert.equal(status, 503);
      assert.match(body.message, new RegExp(`node ${task!.NodeID}`));
    } finally {
      await host(1).heal();
    }
    await eventually(async () => {
      const { status } = await api(host(0), 'GET', `/containers/${terminal}/json`);
      return status === 200 || status === 404 ? undefined : `${status}`; // its task may run elsewhere by now
    });
  });
});
