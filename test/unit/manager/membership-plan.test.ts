import assert from 'node:assert/strict';
import fc from 'fast-check';
import { keepsQuorumWithout, nextStep } from '../../../src/manager/membership/plan.js';
import { complete } from '../../../src/model/codec.js';
import type { Cluster, Node } from '../../../src/model/types.js';
import type { Member, RaftStatus } from '../../../src/raft/node.js';
import type { View } from '../../../src/store/view.js';
import { clusterID, nodeID } from '../../helpers/certificates.js';

/** What the group and the store are, as far as membership goes; steps change it as the real parts would. */
class World {
  members: Member[] = [];
  nodes = new Map<string, Node>();
  leader = 0;
  unreachable = new Set<number>();
  used = new Set<number>();

  view(): View {
    const cluster: Cluster = complete('Cluster', { ID: clusterID });
    return {
      index: 1,
      get: (_kind: string, id: string) => this.nodes.get(id),
      list: () => this.nodes.values(),
      cluster: () => cluster,
    } as unknown as View;
  }

  status(): RaftStatus {
    return {
      id: this.leader,
      term: 1,
      role: 'leader',
      leader: this.leader,
      commitIndex: 1,
      appliedIndex: 1,
      members: this.members.map((member) => ({ ...member, learner: false })),
      silence_ms: new Map(this.members.map(({ id }) => [id, this.unreachable.has(id) ? 60_000 : 100])),
    };
  }

  hasQuorum(): boolean {
    return this.members.filter(({ id }) => !this.unreachable.has(id)).length > this.members.length / 2;
  }

  /** Takes the next step; false when there is none. */
  step(): boolean {
    const step = nextStep(this.view(), this.status(), new Set());
    if (step === undefined) return false;
    if (step.do === 'add') {
      this.members = [...this.members.filter(({ id }) => id !== step.member.id), step.member];
      this.used.add(step.member.id);
    } else if (step.do === 'remove') {
      assert.notEqual(step.member.id, this.leader, 'a leader hands over before it leaves');
      this.members = this.members.filter(({ id }) => id !== step.member.id);
    } else if (step.do === 'hand-over') {
      assert.ok(this.members.some(({ id }) => id === step.to) && !this.unreachable.has(step.to));
      this.leader = step.to;
    } else {
      this.nodes.set(step.node.ID, { ...step.node, RaftID: 0, ManagerStatus: null });
    }
    return true;
  }
}

interface Shape {
  role: 'manager' | 'worker' | 'gone';
  isMember: boolean;
  hasID: boolean;
  isUp: boolean;
}

function build(shapes: readonly Shape[]): World {
  const world = new World();
  for (const [at, shape] of shapes.entries()) {
    const id = at + 1;
    const address = `10.0.0.${id}:2377`;
    if (shape.isMember) world.members.push({ id, nodeID: nodeID(id), address });
    if (!shape.isUp) world.unreachable.add(id);
    if (shape.role === 'gone') continue;
    const RaftID = shape.hasID || (shape.isMember && shape.role === 'manager') ? id : 0;
    const node = {
      ID: nodeID(id),
      Spec: { Role: shape.role },
      RaftID,
      ManagerStatus: RaftID > 0 ? { Addr: address } : null,
    };
    world.nodes.set(node.ID, complete('Node', node));
  }
  world.leader = world.members.find(({ id }) => !world.unreachable.has(id))?.id ?? 0;
  return world;
}

const shape = fc.record<Shape>({
  role: fc.constantFrom('manager', 'worker', 'gone'),
  isMember: fc.boolean(),
  hasID: fc.boolean(),
  isUp: fc.boolean(),
});
const worlds = fc.array(shape, { minLength: 1, maxLength: 7 });

describe('membership of the Raft group', () => {
  it('settles, and never gives up a quorum that it has', () => {
    fc.assert(
      fc.property(worlds, (shapes) => {
        const world = build(shapes);
        fc.pre(world.leader !== 0 && world.hasQuorum());
        let steps = 0;
        while (world.step()) {
          steps += 1;
          assert.ok(steps < 50, 'it goes round in circles');
          // An addition may cost it when the new one is out of reach: Raft adds it as a learner, which does not count.
          const voters = world.members.filter(({ id }) => !world.unreachable.has(id) || shapes[id - 1]!.isMember);
          const up = voters.filter(({ id }) => !world.unreachable.has(id));
          assert.ok(up.length > voters.length / 2, 'the quorum is gone');
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('ends with exactly the managers when all are up', () => {
    fc.assert(
      fc.property(worlds, (shapes) => {
        const world = build(shapes.map((one) => ({ ...one, isUp: true })));
        fc.pre(world.leader !== 0);
        const managers = () =>
          [...world.nodes.values()].filter((node) => node.Spec?.Role === 'manager' && node.RaftID > 0);
        fc.pre(managers().length > 0);
        while (world.step());
        assert.deepEqual(
          world.members.map((member) => member.nodeID).sort(),
          managers()
            .map((node) => node.ID)
            .sort(),
        );
        for (const node of world.nodes.values()) if (node.Spec?.Role === 'worker') assert.equal(node.RaftID, 0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('keeps the last member whatever the store says', () => {
    const world = build([{ role: 'worker', isMember: true, hasID: true, isUp: true }]);
    assert.equal(world.step(), false);
    assert.equal(keepsQuorumWithout(world.status(), 1), false);
  });

  it('does nothing on a manager that does not lead', () => {
    const world = build([
      { role: 'manager', isMember: true, hasID: true, isUp: true },
      { role: 'gone', isMember: true, hasID: true, isUp: true },
    ]);
    assert.equal(nextStep(world.view(), { ...world.status(), role: 'follower' }, new Set()), undefined);
  });

  it('tells the group a new address of a member', () => {
    const world = build([{ role: 'manager', isMember: true, hasID: true, isUp: true }]);
    const node = world.nodes.get(nodeID(1))!;
    world.nodes.set(node.ID, { ...node, ManagerStatus: { Leader: false, Reachability: '', Addr: '10.1.1.1:2377' } });
    assert.deepEqual(nextStep(world.view(), world.status(), new Set()), {
      do: 'add',
      member: { id: 1, nodeID: nodeID(1), address: '10.1.1.1:2377' },
    });
  });
});
