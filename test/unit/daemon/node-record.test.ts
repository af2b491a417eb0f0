import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import { NodeRecord } from '../../../src/daemon/node-record.js';
import { type NodeState, StateDirectory } from '../../../src/daemon/state.js';

const id = (letter: string) => letter.repeat(25);

describe('the record of a node', () => {
  let path: string;
  let directory: StateDirectory;
  let record: NodeRecord;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'shoal-record-'));
    directory = new StateDirectory(path);
    const state: NodeState = {
      nodeID: id('a'),
      clusterID: id('b'),
      role: 'worker',
      listenAddress: '0.0.0.0:2377',
      advertiseAddress: '127.0.0.1:2377',
      dataPathAddress: '',
      raftID: 0,
      forgottenRaftID: 0,
      managers: [],
      trustedManagers: [id('m')],
      trustedAsOf: 10,
    };
    record = new NodeRecord(directory, state, winston.createLogger({ silent: true }));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  const trust = async (asOf: number, ...nodeIDs: string[]) => {
    await record.learnManagers([], { nodeIDs, asOf });
    const { trustedManagers, trustedAsOf } = record.state;
    return [trustedManagers, trustedAsOf];
  };

  it('remembers as of when the managers were told, also when they are the same as before', async () => {
    assert.deepEqual(await trust(30, id('m')), [[id('m')], 30]);
    assert.equal((await directory.load())?.trustedAsOf, 30);
  });

  it('takes nothing older than what it knows, and writes nothing that is no news', async () => {
    assert.deepEqual(await trust(9, id('n')), [[id('m')], 10]);
    assert.deepEqual(await trust(10, id('m')), [[id('m')], 10]);
    assert.equal(await directory.load(), undefined);
  });
});
