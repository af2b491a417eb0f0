import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';
import { play } from '../../helpers/terminal.js';

const issued = (by: string, root: string) => ({ CertIssuerPublicKey: by, TrustRoot: root });

describe('the progress of a rotation of the root', () => {
  let daemon: FakeDaemon;
  let looks = 0;
  /** Of the third node. */
  let state = 'ready';

  beforeEach(async () => {
    looks = 0;
    state = 'ready';
    // At every look one more of three nodes has moved; then the rotation is over, and one after the other trusts the new root alone.
    daemon = await startFakeDaemon({
      'POST /swarm/update': {},
      'GET /swarm': () => {
        looks++;
        const isOver = looks > 4;
        const TLSInfo = issued('new', isOver ? 'new root\n' : 'old root\n');
        return { ID: 'c', Version: { Index: 1 }, Spec: {}, RootRotationInProgress: !isOver && looks > 1, TLSInfo };
      },
      'GET /nodes': () =>
        [1, 2, 3].map((at) => ({
          ID: `n${at}`,
          Status: { State: at === 3 ? state : 'ready' },
          Description: { TLSInfo: issued(looks > at ? 'new' : 'old', looks > at + 3 ? 'new root\n' : 'old root\n') },
        })),
    });
  });
  afterEach(() => daemon.close());

  const rotate = (world = {}, ...flags: string[]) => cli(daemon, ['swarm', 'ca', '--rotate', ...flags], world);
  const digest = (root: string) => `sha256:${createHash('sha256').update(`${root}\n`).digest('hex')}`;

  it('is two bars on a terminal, as with Docker: certificates, then roots', async () => {
    const { code, out } = await rotate({ columns: 120 });
    assert.equal(code, 0);
    assert.match(
      out,
      new RegExp(`^desired root digest: ${digest('old root')}\n {2}rotated TLS certificates: +\\[=+> +\\] 1/3 nodes\n`),
    );
    assert.match(out, / {2}rotated TLS certificates: +\[=+> +\] 2\/3 nodes/);
    assert.match(out, / {2}rotated CA certificates: +\[=+> +\] 1\/3 nodes/);
    assert.deepEqual(
      play(out).map((line) => line.replace(/ *\[=*> *\]/, ' [=>]')),
      [
        `desired root digest: ${digest('new root')}`,
        '  rotated TLS certificates: [=>] 3/3 nodes',
        '  rotated CA certificates: [=>] 3/3 nodes',
        'new root',
      ],
    );
    const [first, second] = play(out)
      .slice(1, 3)
      .map((line) => line.indexOf('['));
    assert.equal(first, second, 'the bars stand below each other');
  });

  it('is the digests of the root in a log, and the new root at the end', async () => {
    const lines = [
      `desired root digest: ${digest('old root')}`,
      `desired root digest: ${digest('new root')}`,
      'new root',
    ];
    assert.equal((await rotate()).out, `${lines.join('\n')}\n`);
  });

  it('is waited for and not shown when quiet, neither when detached', async () => {
    assert.equal((await rotate({}, '--quiet')).out, '');
    assert.ok(looks > 6, `${looks}`);
    looks = 0;
    assert.equal((await rotate({}, '--detach')).out, '');
    assert.equal(looks, 1);
  });

  it('does not wait for a node that is down to learn that it is over', async () => {
    state = 'down';
    assert.equal((await rotate({}, '-q')).code, 0);
    assert.equal(looks, 6);
  });

  it('goes on in the background after Ctrl-C', async () => {
    const { code, out } = await rotate({ interrupt: (press: () => void) => press() });
    assert.equal(code, 0);
    assert.match(out, /Operation continuing in background\.\nUse `shoal node ls [^\n]*` to check progress\.\n$/);
  });
});
