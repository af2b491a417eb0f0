import assert from 'node:assert/strict';
import { seededRandom } from '../../../src/model/random.js';
import { ManagerChoice } from '../../../src/worker/session/manager-choice.js';

const known = ['self', 'a', 'b', 'c'].map((nodeID) => ({ nodeID, address: `${nodeID}:2377` }));
const choiceOf = (preferred?: string) => {
  const choice = new ManagerChoice('self', known, seededRandom(3));
  if (preferred !== undefined) choice.set(known.map((one) => ({ ...one, preferred: one.nodeID === preferred })));
  return choice;
};

describe('the manager that a node turns to', () => {
  it('is the preferred one, then each of the others once, and itself last', () => {
    const choice = choiceOf('b');
    const tried: string[] = [];
    while (!choice.triedAll()) {
      const { nodeID, address } = choice.next();
      tried.push(nodeID);
      choice.failed(address, { answered: true });
    }
    assert.deepEqual([tried[0], tried.at(-1)], ['b', 'self']);
    assert.deepEqual([...tried].sort(), ['a', 'b', 'c', 'self']);
    assert.equal(choice.next().nodeID, 'b', 'then all of them anew');
  });

  it('differs between nodes that know no preferred one', () => {
    const first = (seed: number) => new ManagerChoice('self', known, seededRandom(seed)).next().nodeID;
    assert.deepEqual(new Set(Array.from({ length: 50 }, (_, seed) => first(seed))), new Set(['a', 'b', 'c']));
  });

  it('keeps to what it knows when it is told of no manager at all', () => {
    const choice = choiceOf('b');
    choice.set([]);
    assert.equal(choice.next().nodeID, 'b');
  });

  it('knows whether a better one is to be had', () => {
    const choice = choiceOf('b');
    assert.equal(choice.betterThan('b:2377'), undefined);
    assert.deepEqual([choice.betterThan('a:2377')?.nodeID, choice.betterThan('a:2377')?.failed], ['b', false]);
    choice.failed('b:2377', { answered: true });
    assert.equal(choice.betterThan('a:2377')?.failed, true);
    choice.worked('b:2377');
    assert.equal(choice.betterThan('a:2377')?.failed, false);
    assert.equal(choiceOf().betterThan('a:2377'), undefined);
  });

  it('comes to managers that gave no answer after all that did, itself included', () => {
    const choice = choiceOf('b');
    choice.failed('b:2377', { answered: false });
    for (const address of ['a:2377', 'c:2377', 'self:2377']) choice.failed(address, { answered: true });
    const round: string[] = [];
    while (round.length < 4) {
      const { nodeID, address } = choice.next();
      round.push(nodeID);
      choice.failed(address, { answered: nodeID !== 'b' });
    }
    assert.deepEqual(round.slice(2), ['self', 'b']);
    choice.worked('b:2377');
    assert.equal(choice.next().nodeID, 'b');
  });

  it('forgets failures of managers that are none any more', () => {
    const choice = choiceOf('b');
    choice.failed('b:2377', { answered: true });
    choice.set([{ nodeID: 'a', address: 'a:2377', preferred: false }]);
    choice.set(known.map((one) => ({ ...one, preferred: one.nodeID === 'b' })));
    assert.equal(choice.next().nodeID, 'b');
  });
});
