import assert from 'node:assert/strict';
import { NodeLiveness } from '../../../../src/manager/dispatcher/node-liveness.js';
import { LocalProposer } from '../../../helpers/local-proposer.js';

describe('which nodes are down', () => {
  const view = (SessionManager: string, SessionEpoch = 5, State = 'ready') => {
    const local = new LocalProposer();
    local.commit({
      Operations: [{ Action: 'create', Node: { ID: 'n', Status: { State, SessionManager, SessionEpoch } } }],
    });
    return local.store;
  };
  const at = (now_ms: number, over: object = {}) => ({
    now_ms,
    lost_ms: 3_000,
    self: 'me',
    leads: false,
    epochHere: () => undefined,
    managerGone: () => false,
    managerSilent: () => false,
    ...over,
  });
  const lost = (liveness: NodeLiveness, store: ReturnType<typeof view>, when: ReturnType<typeof at>) =>
    liveness.sweep(store, when).map((node) => node.ID);

  it('are those whose session here is missing for long enough', () => {
    const [liveness, store] = [new NodeLiveness(), view('me')];
    assert.deepEqual(lost(liveness, store, at(0)), []);
    assert.deepEqual(lost(liveness, store, at(2_999)), []);
    assert.deepEqual(lost(liveness, store, at(3_000)), ['n']);
    assert.deepEqual(lost(liveness, store, at(4_000, { epochHere: () => 5 })), []);
    assert.deepEqual(lost(liveness, store, at(5_000)), [], 'it starts anew');
  });

  it('counts the silence before the session ended', () => {
    const [liveness, store] = [new NodeLiveness(), view('me')];
    liveness.ended('n', 5, 10_000, 3_000);
    assert.deepEqual(lost(liveness, store, at(10_000)), ['n']);
    const another = new NodeLiveness();
    another.ended('n', 4, 10_000, 3_000);
    assert.deepEqual(lost(another, store, at(10_000)), [], 'that was an older session');
  });

  it('are, to the leader alone, those of managers that are gone', () => {
    const store = view('gone');
    const gone = { managerGone: (id: string) => id === 'gone' };
    for (const leads of [false, true]) {
      const liveness = new NodeLiveness();
      lost(liveness, store, at(0, { ...gone, leads }));
      assert.deepEqual(lost(liveness, store, at(3_000, { ...gone, leads })), leads ? ['n'] : []);
    }
  });

  it('are at once those that held their own session as managers that are silent now', () => {
    const store = view('n');
    const gone = { leads: true, managerGone: () => true };
    assert.deepEqual(
      lost(new NodeLiveness(), store, at(0, gone)),
      [],
      'it is no manager any more, and may be on its way',
    );
    assert.deepEqual(lost(new NodeLiveness(), store, at(0, { ...gone, managerSilent: () => true })), ['n']);
  });

  it('are never those that are down already, or never had a session', () => {
    for (const store of [view('me', 5, 'down'), view('me', 0)]) {
      const liveness = new NodeLiveness();
      lost(liveness, store, at(0));
      assert.deepEqual(lost(liveness, store, at(9_000)), []);
    }
  });
});
