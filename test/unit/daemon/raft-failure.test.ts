import assert from 'node:assert/strict';
import { Daemons, initRequest, until } from '../../helpers/daemons.js';
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
});
