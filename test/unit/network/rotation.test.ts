import assert from 'node:assert/strict';
import fc from 'fast-check';
import { seededRandom } from '../../../src/model/random.js';
import type { EndpointAddress } from '../../../src/network/user-space/checked-route.js';
import { Rotation, type Target } from '../../../src/network/user-space/rotation.js';

const address = (task: string): EndpointAddress => ({ key: task, taskID: task, host: '127.0.0.1', port: 1 });
const none: ReadonlySet<Target> = new Set();

function rotationOf(...tasks: string[]) {
  const emptied: string[] = [];
  const rotation = new Rotation(seededRandom(1), (target) => emptied.push(target.address.taskID));
  rotation.replace(tasks.map(address));
  const pick = (now_ms = 0, tried = none, client = '') => rotation.pick(now_ms, tried, () => client);
  return {
    rotation,
    emptied,
    pick,
    picks: (times: number) => Array.from({ length: times }, () => pick()?.address.taskID),
  };
}

const rotationRest = (...taken: Target[]) =>
  ['a', 'b', 'c'].find((task) => !taken.some((one) => one.address.taskID === task));

describe('a rotation', () => {
  it('gives everyone the same share, whatever comes and goes', () => {
    const tasks = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(tasks, { minLength: 1, maxLength: 10 }), fc.integer(), (rounds, seed) => {
        const rotation = new Rotation(seededRandom(seed), () => {});
        for (const round of rounds) {
          rotation.replace(round.map(address));
          const counts = new Map<string, number>(round.map((task) => [task, 0]));
          for (let time = 0; time < round.length * 3; time++) {
            const task = rotation.pick(0, none, () => '')!.address.taskID;
            counts.set(task, counts.get(task)! + 1);
          }
          assert.deepEqual(new Set(counts.values()), new Set([3]));
        }
      }),
    );
  });

  it('goes on where it was when endpoints that stay stay', () => {
    const { rotation, picks } = rotationOf('a', 'b', 'c');
    const [first, second, third] = picks(3);
    assert.deepEqual(picks(1), [first]);
    rotation.replace(['a', 'b', 'c', 'd'].map(address));
    assert.deepEqual(picks(1), [second]);
    assert.ok(third !== undefined);
  });

  it('keeps each client at one endpoint where clients are sticky, and spreads clients', () => {
    const { rotation, pick } = rotationOf('a', 'b', 'c');
    rotation.isSticky = true;
    const counts = new Map<string, number>();
    for (let client = 0; client < 300; client++) {
      const address = `192.0.2.${client % 250}:${client}`;
      const picks = new Set(Array.from({ length: 3 }, () => pick(0, none, address)!.address.taskID));
      assert.equal(picks.size, 1);
      for (const task of picks) counts.set(task, (counts.get(task) ?? 0) + 1);
    }
    assert.ok([...counts.values()].every((count) => count > 60) && counts.size === 3, JSON.stringify([...counts]));
    const own = pick(0, none, '192.0.2.7')!;
    own.suspect(1000);
    const other = pick(0, none, '192.0.2.7')!;
    assert.notEqual(other, own);
    assert.equal(pick(0, new Set([own, other]), '192.0.2.7')!.address.taskID, rotationRest(own, other));
  });

  it('passes over an endpoint under suspicion until its time is over, but takes it when there is no other', () => {
    const { pick } = rotationOf('a', 'b');
    const suspect = pick()!;
    suspect.suspect(1000);
    const other = pick()!;
    for (let time = 0; time < 4; time++) assert.equal(pick(3999), other);
    assert.equal(pick(3999, new Set([other])), suspect);
    assert.deepEqual(new Set([pick(4000), pick(4000)]), new Set([suspect, other]));
  });

  it('gives nothing when all were tried, and when there is nothing', () => {
    const { rotation, pick } = rotationOf('a', 'b');
    assert.equal(pick(0, new Set([pick()!, pick()!])), undefined);
    rotation.replace([]);
    assert.equal(pick(), undefined);
  });

  it('tells when the last connection to a retired endpoint is gone, not of one in rotation', () => {
    const { rotation, emptied, pick } = rotationOf('a');
    const attachment = { retired() {}, endIfIdle() {} };
    const target = pick()!;
    target.attach(attachment);
    target.detach(attachment);
    assert.deepEqual(emptied, []);
    target.attach(attachment);
    rotation.replace([]).retired.forEach((one) => {
      one.retired = true;
    });
    target.detach(attachment);
    target.detach(attachment);
    assert.deepEqual(emptied, ['a']);
  });

  it('makes an endpoint that comes back a new one', () => {
    const { rotation, pick } = rotationOf('a');
    const before = pick();
    rotation.replace([]);
    const { added } = rotation.replace([address('a')]);
    assert.equal(added.length, 1);
    assert.notEqual(pick(), before);
  });
});
