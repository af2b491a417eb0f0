import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RaftState } from '../../../src/daemon/raft-state.js';
import { Daemons, initRequest, joinRequest, until } from '../../helpers/daemons.js';
import { RaftGroup } from '../../helpers/raft-group.js';

describe('a manager whose Raft cannot go on', function () {
  this.timeout(60_000);

  it('is started anew after a pause, also when it fails while it starts', async () => {
    const daemons = new Daemons(new RaftGroup());
    try {
      const options = await daemons.options();
      const before = await daemons.start(options);
      await before.init(initRequest());
      await before.stop();

      let opened = 0;
      daemons.raftOpened = ({ onFatal }) => {
        opened += 1;
        if (opened === 1) onFatal(new Error('the disk is gone'));
      };
      const daemon = await daemons.start(options);
      assert.match(daemon.local().error, /this manager cannot go on: the disk is gone/);
      assert.equal(opened, 1, 'never two at a time');
      await until(() => opened === 2 && daemon.local().error === '', 'the manager is back');
      assert.ok(daemon.manager());
    } finally {
      await daemons.close();
    }
  });

  it('takes its place in no group when its log is gone: it says so, and can leave', async () => {
    const daemons = new Daemons();
    try {
      const founding = await daemons.options();
      const founder = await daemons.start(founding);
      await founder.init(initRequest());
      const token = (await founder.manager()!.read()).cluster()!.JoinTokens!.Manager;
      const options = await daemons.options();
      const joined = await daemons.start(options);
      await joined.join(joinRequest(token, founding.listenAddress));
      await joined.stop();
      const { damage, membership, last } = await (await RaftState.at(options.stateDirectory)).inspect();
      assert.deepEqual([damage, membership.voters.length + membership.learners.length], [undefined, 2]);
      assert.ok(last.index > 2);
      await rm(join(options.stateDirectory, 'raft'), { recursive: true });
      for (let start = 0; start < 2; start++) {
        const daemon = await daemons.start(options);
        assert.equal(daemon.local().state, 'error');
        assert.match(daemon.local().error, /the raft log of this manager is gone.*swarm leave --force.*join again/);
        await assert.rejects(daemon.init({ ...initRequest(), forceNewCluster: true }), /the raft log .* is gone/);
        if (start === 1) await daemon.leave();
        await daemon.stop();
      }
      const back = await daemons.start(options);
      assert.equal(back.local().state, 'inactive');
    } finally {
      await daemons.close();
    }
  });

  it('is still a member of its cluster when it could not be forced to go on alone', async () => {
    const daemons = new Daemons(new RaftGroup());
    try {
      const daemon = await daemons.start(await daemons.options());
      const nodeID = await daemon.init(initRequest());
      let isFull = true;
      daemons.raftOpened = () => {
        if (isFull) throw new Error('the disk is full');
      };
      const force = () => daemon.init(initRequest({ forceNewCluster: true }));
      await assert.rejects(force(), /the disk is full/);
      assert.deepEqual([daemon.local().state, daemon.local().error], ['error', 'the disk is full']);
      await assert.rejects(daemon.init(initRequest()), /the disk is full.*swarm leave --force/);
      await assert.rejects(daemon.join(joinRequest('', '127.0.0.1:1')), /the disk is full.*swarm leave --force/);
      isFull = false;
      assert.equal(await force(), nodeID);
      assert.equal(daemon.local().error, '');
    } finally {
      await daemons.close();
    }
  });
});
