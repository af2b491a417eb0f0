import assert from 'node:assert/strict';
import fc from 'fast-check';
import { changeMembership, emptyMembership, type MembershipChange } from '../../../src/raft/core/membership.js';
import { committedIndex, quorumSize, voteResult } from '../../../src/raft/core/quorum.js';
import { Tracker } from '../../../src/raft/core/tracker.js';
import type { Membership } from '../../../src/raft/core/types.js';
import { type DataCase, dataCases, listOf } from '../../helpers/data-driven.js';

/** The data file draws each voter's index as a bar; the bar's length is how many voters are behind it. */
function drawn(ids: readonly number[], known: ReadonlyMap<number, number>): string {
  if (ids.length === 0) return '<empty majority quorum>';
  const place = new Map<number, number>();
  const ascending = [...ids].sort((left, right) => (known.get(left) ?? 0) - (known.get(right) ?? 0) || left - right);
  ascending.forEach((id, at) => {
    const before = ascending[at - 1];
    const same = before !== undefined && (known.get(before) ?? 0) === (known.get(id) ?? 0);
    place.set(id, same ? (place.get(before as number) as number) : at);
  });
  const lines = [...ids]
    .sort((left, right) => left - right)
    .map((id) => {
      const bar = place.get(id) as number;
      const index = known.get(id);
      const mark =
        index === undefined ? `?${' '.repeat(ids.length)}` : `${'x'.repeat(bar)}>${' '.repeat(ids.length - bar)}`;
      return `${mark} ${String(index ?? 0).padStart(5)}    (id=${id})`;
    });
  return [`${' '.repeat(ids.length)}    idx`, ...lines].join('\n');
}

function committedCase(ids: readonly number[], indexes: readonly string[]): string {
  const known = new Map<number, number>();
  indexes.forEach((text, at) => {
    if (text !== '_') known.set(ids[at] as number, Number(text));
  });
  const committed = committedIndex(ids, (id) => known.get(id));
  const table = drawn(ids, known);
  return ids.length === 0 ? `${table}∞` : `${table}\n${committed}`;
}

function voteCase(ids: readonly number[], votes: readonly string[]): string {
  const answers = new Map(ids.map((id, at) => [id, votes[at]]));
  const result = voteResult(ids, (id) => (answers.get(id) === '_' ? undefined : answers.get(id) === 'y'));
  return { won: 'VoteWon', pending: 'VotePending', lost: 'VoteLost' }[result];
}

describe('quorum arithmetic', () => {
  for (const file of ['majority_commit.txt', 'majority_vote.txt']) {
    for (const { line, command, args, expected } of dataCases(`raft-quorum/${file}`)) {
      it(`agrees with ${file}, line ${line}`, () => {
        const ids = listOf(args.get('cfg')).map(Number);
        const actual =
          command === 'vote' ? voteCase(ids, listOf(args.get('votes'))) : committedCase(ids, listOf(args.get('idx')));
        assert.equal(actual, expected);
      });
    }
  }

  it('commits exactly what a majority has, and no less', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), (indexes) => {
        const committed = committedIndex(indexes.keys(), (id) => indexes[id]);
        const having = (index: number) => indexes.filter((match) => match >= index).length;
        assert.ok(having(committed) >= quorumSize(indexes.length));
        assert.ok(having(committed + 1) < quorumSize(indexes.length));
      }),
    );
  });
});

const actions: Record<string, MembershipChange['action']> = { v: 'voter', l: 'learner', r: 'remove', u: 'update' };

function parseChange(text: string): MembershipChange {
  const action = actions[text[0] as string] as MembershipChange['action'];
  const id = Number(text.slice(1));
  return action === 'remove' ? { action, id } : { action, member: { id, nodeID: `n${id}`, address: `h${id}` } };
}

const refusals: [RegExp, string][] = [
  [/without a single voter/, 'removed all voters'],
  [/one manager can be added or removed at a time/, 'more than one voter changed without entering joint config'],
];

describe('membership changes', () => {
  for (const file of ['simple_idempotency', 'simple_promote_demote', 'simple_safety', 'update', 'zero']) {
    it(`go as in ${file}.txt`, () => {
      let membership: Membership = emptyMembership;
      const tracker = new Tracker({ maxInflightMessages: 1, maxInflightBytes: 1 });
      dataCases(`raft-confchange/${file}.txt`).forEach((step, lastIndex) => {
        assert.equal(outcome(step, lastIndex), step.expected, `line ${step.line}`);
      });

      function outcome(step: DataCase, lastIndex: number): string {
        assert.equal(step.command, 'simple');
        try {
          membership = changeMembership(membership, step.input.join(' ').split(' ').map(parseChange));
        } catch (error) {
          return refusals.find(([pattern]) => pattern.test((error as Error).message))?.[1] ?? String(error);
        }
        tracker.reconfigure(membership, lastIndex);
        return described();
      }

      function described(): string {
        const ids = (members: Membership['voters']) => members.map((member) => member.id).join(' ');
        const learners = membership.learners.length === 0 ? '' : ` learners=(${ids(membership.learners)})`;
        const lines = [...tracker.progress]
          .sort(([left], [right]) => left - right)
          .map(([id, { match, next, state }]) => {
            const name = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' }[state];
            return `${id}: ${name} match=${match} next=${next}${tracker.isVoter(id) ? '' : ' learner'}`;
          });
        return [`voters=(${ids(membership.voters)})${learners}`, ...lines].join('\n');
      }
    });
  }

  it('leave two majorities that meet', () => {
    const change = fc.record({ action: fc.constantFrom('v', 'l', 'r'), id: fc.integer({ min: 1, max: 6 }) });
    fc.assert(
      fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), (steps) => {
        let membership: Membership = changeMembership(emptyMembership, [parseChange('v1')]);
        for (const step of steps) {
          let next: Membership;
          try {
            next = changeMembership(
              membership,
              step.map(({ action, id }) => parseChange(`${action}${id}`)),
            );
          } catch {
            continue;
          }
          const before = membership.voters.map((member) => member.id);
          const after = next.voters.map((member) => member.id);
          const union = new Set([...before, ...after]).size;
          assert.ok(quorumSize(before.length) + quorumSize(after.length) > union);
          membership = next;
        }
      }),
    );
  });
});
