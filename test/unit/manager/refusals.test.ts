import assert from 'node:assert/strict';
import { checkRemoval, checkRoleChange } from '../../../src/manager/membership/refusals.js';
import { complete } from '../../../src/model/codec.js';
import type { Node } from '../../../src/model/types.js';
import type { View } from '../../../src/store/view.js';

const node = (ID: string, Role: string, State = 'ready'): Node =>
  complete('Node', { ID, Spec: { Role, Availability: 'active' }, Status: { State } });

/** Whether `a` may be demoted when the managers are these, and all but the ones named are reachable. */
function demote(managers: string[], away: string[] = [], isMember = true): string {
  const nodes = managers.map((id) => node(id, 'manager'));
  const view = { list: () => nodes.values() } as unknown as View;
  const seen = managers.filter((id) => isMember || id !== 'a');
  const raft = new Map(seen.map((id) => [id, { leader: false, reachable: !away.includes(id) }]));
  try {
    checkRoleChange(view, raft, nodes[0]!, 'worker');
    return '';
  } catch (error) {
    return String(error);
  }
}

describe('a node that is to be demoted or removed', () => {
  it('is refused where that would cost the managers their quorum, and told so', () => {
    assert.match(demote(['a']), /attempting to demote the last manager of the swarm/);
    assert.match(demote(['a', 'b'], ['b']), /loss of quorum \(0 of the 1 managers that would be left are reachable\)/);
    assert.match(demote(['a', 'b', 'c'], ['c']), /loss of quorum \(1 of the 2/);
    assert.match(demote(['a', 'b', 'c', 'd', 'e'], ['d', 'e']), /loss of quorum \(2 of the 4/);
  });

  it('is demoted where it costs nothing, also when it is the one that is away', () => {
    for (const [managers, away] of [
      [['a', 'b'], []],
      [['a', 'b'], ['a']],
      [['a', 'b', 'c'], ['a']],
      [['a', 'b', 'c', 'd'], ['d']],
      [['a', 'b', 'c', 'd', 'e'], ['e']],
    ] as [string[], string[]][]) {
      assert.equal(demote(managers, away), '', `${managers} without ${away}`);
    }
    assert.equal(demote(['a', 'b', 'c'], ['c'], false), '', 'one that has not joined the group takes nothing from it');
  });

  it('is removed as a worker only, and by force only while it is up', () => {
    assert.throws(() => checkRemoval(node('a', 'manager', 'down'), true), /must be demoted to worker before removal/);
    assert.throws(() => checkRemoval(node('a', 'worker'), false), /node a is not down and can't be removed/);
    checkRemoval(node('a', 'worker', 'down'), false);
    checkRemoval(node('a', 'worker'), true);
  });
});
