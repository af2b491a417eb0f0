import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { DaemonOptions } from '../../../src/daemon/options.js';
import { systemClock } from '../../../src/model/clock.js';
import { Daemons, initRequest, until } from '../../helpers/daemons.js';
import { RaftGroup } from '../../helpers/raft-group.js';

describe('a daemon that cannot take up its place in the cluster', function () {
  this.timeout(60_000);
  let daemons: Daemons;
  let options: DaemonOptions;
  let nodeID: string;
  let other: Server | undefined;

  beforeEach(async () => {
    daemons = new Daemons(new RaftGroup());
    options = await daemons.options();
    const daemon = await daemons.start(options);
    nodeID = await daemon.init(initRequest());
    await daemon.stop();
  });
  afterEach(async () => {
    await daemons.close();
    other?.close();
    other = undefined;
  });

  /** What waits in daemons that are started from now on. */
  const watchWaits = (): Set<object> => {
    const waits = new Set<object>();
    daemons.clock = {
      ...systemClock,
      after: (delay_ms, call) => {
        const wait = {};
        waits.add(wait);
        const cancel = systemClock.after(delay_ms, () => {
          waits.delete(wait);
          call();
        });
        return () => {
          waits.delete(wait);
          cancel();
        };
      },
    };
    return waits;
  };
  /** Somebody has the node's cluster port. */
  const takePort = async () => {
    const [host, port] = options.listenAddress.split(':');
    other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other!.listen(Number(port), host, resolve));
  };

  it('says why, and is back by itself once its address can be had', async () => {
    await takePort();
    const daemon = await daemons.start(options);
    assert.equal(daemon.local().state, 'error');
    assert.match(daemon.local().error, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    await assert.rejects(daemon.init(initRequest()), { code: 'already-in-swarm' });
    other!.close();
    await until(() => daemon.local().state === 'active', 'it is back');
    assert.deepEqual([daemon.local().nodeID, daemon.local().error], [nodeID, '']);
  });

  it('is back once a file that could not be read can be', async () => {
    const path = join(options.stateDirectory, 'certificates/swarm-node.pem');
    await rename(path, `${path}.away`);
    const daemon = await daemons.start(options);
    assert.match(daemon.local().error, /swarm-node\.pem: cannot be read: ENOENT/);
    await rename(`${path}.away`, path);
    await until(() => daemon.local().state === 'active', 'it is back');
  });

  it('tries no more once the user has given the cluster up, nor after it was stopped', async () => {
    await takePort();
    const waits = watchWaits();
    const stopped = await daemons.start(options);
    assert.equal(waits.size, 1, 'the next attempt');
    await stopped.stop();
    assert.equal(waits.size, 0);
    const left = await daemons.start(options);
    assert.equal(waits.size, 1);
    await left.leave();
    assert.equal(waits.size, 0);
    assert.equal(left.local().state, 'inactive');
    other!.close();
  });

  it('does not try again what only the user can mend', async () => {
    const path = join(options.stateDirectory, 'node.json');
    const before = await readFile(path);
    await writeFile(path, before.subarray(0, 40));
    const waits = watchWaits();
    const daemon = await daemons.start(options);
    assert.match(daemon.local().error, /node\.json: damaged/);
    assert.equal(waits.size, 0);
  });
});
