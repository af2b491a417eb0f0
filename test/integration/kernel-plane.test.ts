import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { tryRun } from '../../src/lab/run.js';

const contract = fileURLToPath(new URL('../helpers/kernel-plane-contract.js', import.meta.url));

/** Two addresses of one machine that has nothing else: what goes from one to the other passes the rules for the node's own clients. */
const world = `
mount -t sysfs sysfs /sys
ip link set lo up
ip addr add 10.77.0.1/32 dev lo
ip addr add 10.77.0.2/32 dev lo
exec "$@"`;

/** 15 s on an idle machine. What hangs is ended in time to see what it has printed. */
const bounded = ['--kill-after=5', '240', 'unshare', '--net', '--mount'];

describe('the kernel plane, in a network namespace of its own', function () {
  this.timeout(300_000);

  it('does what every data plane does', async () => {
    const mocha = [process.execPath, 'node_modules/.bin/mocha', '--config', '.mocharc.json', contract];
    const { code, stdout, stderr } = await tryRun('timeout', [...bounded, 'sh', '-ec', world, 'sh', ...mocha]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /without losing a connection under load/);
  });
});
