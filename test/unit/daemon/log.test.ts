import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DaemonProcess } from '../../helpers/daemon-process.js';
import { freePort } from '../../helpers/daemons.js';

describe('the log of a daemon', () => {
  it('may lose its reader: the daemon serves on, and stops when it is told to', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'shoal-log-'));
    const daemon = new DaemonProcess(directory, `127.0.0.1:${await freePort()}`);
    try {
      await daemon.start();
      daemon.stopReading();
      const address = { ListenAddr: daemon.address, AdvertiseAddr: daemon.address };
      await daemon.ok('POST', '/swarm/init', address); // which it has much to say about
      assert.equal((await daemon.ok('GET', '/nodes')).length, 1);
      assert.equal(await daemon.end('SIGTERM'), 0);
    } finally {
      await daemon.end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    }
  });
});
