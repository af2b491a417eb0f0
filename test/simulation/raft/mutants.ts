import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../src/model/paths.js';

// npm run simulate:mutants -- [--seeds N] [NAME…]: puts one deliberate bug after the other into a copy of the built program and runs
// the simulation on it. A bug that the simulation does not find is a hole in the simulation.

interface Mutant {
  name: string;
  file: string;
  find: string;
  replace: string;
  /** It takes a chain of events so long that chance does not find it in reasonable time: this unit test must. */
  unitTest?: string;
}

const mutants: readonly Mutant[] = [
  {
    name: 'a vote that is not persisted',
    file: 'core/core.js',
    find: 'const hardState = { term: state.term, vote: state.vote,',
    replace: 'const hardState = { term: state.term, vote: state.vote === state.id ? state.vote : 0,',
  },
  {
    name: 'a vote for everyone who asks',
    file: 'core/election.js',
    find: 'const free = ',
    replace: 'const free = true || ',
  },
  {
    name: 'a vote for a candidate whose log is behind',
    file: 'core/log.js',
    find: 'return lastTerm > this.lastTerm ||',
    replace: 'return true ||',
  },
  {
    name: 'commit of an earlier term by counting',
    file: 'core/leadership.js',
    find: '|| log.term(index) !== term)',
    replace: ')',
    unitTest: 'dissertation-log.test.js',
  },
  {
    name: 'a read without a quorum',
    file: 'core/leadership.js',
    find: 'this.reads.takeConfirmed(this.replication.tracker.readQuorum())',
    replace: 'this.reads.takeConfirmed(Number.POSITIVE_INFINITY)',
  },
  {
    name: 'a read before the leader knows what is committed',
    file: 'core/leadership.js',
    find: 'this.reads.add(read, this.settled ? this.context.log.committed : undefined);',
    replace: 'this.reads.add(read, this.context.log.committed);',
  },
  {
    name: 'a read that does not wait to be applied',
    file: 'driver/barriers.js',
    find: 'round.index <= appliedIndex)',
    replace: 'true)',
  },
  {
    name: 'an acknowledgement before the sync',
    file: 'core/following.js',
    find: "state.sendAfterSync({ type: 'append-response', to, index, reject: false",
    replace: "state.send({ type: 'append-response', to, index, reject: false",
  },
  {
    name: 'a log that does not sync',
    file: 'log/wal.js',
    find: 'const asLog = { durable: true };',
    replace: 'const asLog = {};',
  },
  {
    name: 'a leader that counts itself before its own sync',
    file: 'core/leadership.js',
    find: 'this.uncommittedBytes += log.bytesBetween(index - 1, index);',
    replace: 'this.uncommittedBytes += log.bytesBetween(index - 1, index); this.persisted(index);',
  },
  {
    name: 'a quorum of one too few',
    file: 'core/quorum.js',
    find: 'return Math.floor(voters / 2) + 1;',
    replace: 'return Math.max(1, Math.floor(voters / 2));',
  },
  {
    name: 'an append that is taken without looking at the entry before',
    file: 'core/following.js',
    find: 'if (log.term(prevIndex) !== prevTerm) {',
    replace: 'if (prevIndex > log.lastIndex) {',
  },
  {
    name: 'conflicting entries that stay',
    file: 'core/log.js',
    find: 'entries.find((entry) => this.term(entry.index) !== entry.term)',
    replace: 'entries.find((entry) => this.term(entry.index) === undefined)',
  },
  {
    name: 'two changes of members at once',
    file: 'core/leadership.js',
    find: 'return !this.settled || configurations.latestIndex > log.committed || this.transfer !== undefined;',
    replace: 'return this.transfer !== undefined;',
  },
  {
    name: 'a membership that outlives its entry',
    file: 'core/configurations.js',
    find: 'this.steps = this.steps.filter((step) => step.index < index);',
    replace: '',
  },
  {
    name: 'a proposal that is taken twice',
    file: 'core/acceptance.js',
    find: "return sequence < known.lowest ? '' : known.verdicts.get(sequence);",
    replace: 'return undefined;',
  },
  {
    name: 'a proposal of an earlier term that is taken',
    file: 'core/step.js',
    find: 'if (message.term !== state.term || state.leadership === undefined)',
    replace: 'if (state.leadership === undefined)',
    unitTest: 'dissertation-log.test.js',
  },
  {
    name: 'a proposal that is sent anew before its fate is known',
    file: 'driver/proposals.js',
    find: 'if (!pending.forwarded || pending.sentTerm !== this.core.term || --pending.ticksUntilRetry > 0)',
    replace: 'if (--pending.ticksUntilRetry > 0)',
  },
  {
    name: 'a proposal acknowledged when it is appended',
    file: 'driver/proposals.js',
    find: "pending.forwarded = answer === 'forwarded';",
    replace:
      "pending.forwarded = answer === 'forwarded'; if (answer.accepted) this.settle(sequence)?.resolve({ index: this.core.lastIndex, result: 1 });",
  },
  {
    name: 'a snapshot that misses the last entry',
    file: 'core/core.js',
    find: 'return { index: log.applied, term,',
    replace: 'return { index: log.applied + 1, term,',
  },
  {
    name: 'a snapshot that is named before it is whole',
    file: 'log/snapshot-file.js',
    find: 'await flush();\n    await file.sync();',
    replace: 'await flush();',
  },
  {
    name: 'a log that is not reset when a snapshot is installed',
    file: 'driver/persister.js',
    find: '{ reset, entries, hardState }',
    replace: '{ entries, hardState }',
  },
  {
    name: 'segments that go before the snapshot has them',
    file: 'log/storage.js',
    find: 'await this.wal.compact(compactTo);',
    replace: 'await this.wal.compact(compactTo + 1000);',
  },
  {
    name: 'a segment whose name is not synced',
    file: 'log/wal.js',
    find: 'await file.write(0, data);\n            await disk.syncDirectory();',
    replace: 'await file.write(0, data);',
  },
  {
    name: 'a torn write that is read as whole',
    file: 'log/record.js',
    find: 'if (crc32(bytes.subarray(at + 4, next), seed(fileNumber, offset)) !== bytes.readUInt32LE(at))\n        return undefined;',
    replace: '',
  },
  {
    name: 'a commit of what the member has not acknowledged',
    file: 'core/replication.js',
    find: 'this.sendCommit(id, progress, Math.min(progress.match, committed));',
    replace: 'this.sendCommit(id, progress, committed);',
  },
  {
    name: 'an acknowledgement of more than was said',
    file: 'core/state.js',
    find: 'index: Math.max(last.index, index) };',
    replace: 'index: Math.max(last.index, index) + 1 };',
  },
  {
    name: 'a log that is gone and taken for a new one',
    file: 'log/wal.js',
    find: 'if (options.mustExist === true && ',
    replace: 'if (false && ',
    unitTest: 'member.test.js',
  },
  {
    name: 'a snapshot of two halves',
    file: 'log/snapshot-file.js',
    find: '.uint(3, this.crc)',
    replace: '',
    unitTest: 'log-recovery.test.js',
  },
];

const root = packageRoot();
const folder = join(root, 'dist', 'mutant');

function plant(mutant: Mutant): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ['src', 'test/simulation', 'test/unit/raft', 'test/helpers']) {
    cpSync(join(root, 'dist', part), join(folder, part), { recursive: true });
  }
  const path = join(folder, 'src/raft', mutant.file);
  const text = readFileSync(path, 'utf8');
  const found = text.split(mutant.find).length - 1;
  if (found !== 1) throw new Error(`mutant "${mutant.name}": its place is ${found} times in ${mutant.file}`);
  writeFileSync(
    path,
    text.replace(mutant.find, () => mutant.replace),
  );
}

function failsUnitTest(name: string): string | undefined {
  const mocha = join(root, 'node_modules/mocha/bin/mocha.js');
  const test = join(folder, 'test/unit/raft', name);
  const run = spawnSync(process.execPath, [mocha, '--no-config', '--reporter', 'dot', test], { encoding: 'utf8' });
  return run.status === 0 ? undefined : `unit test ${name}`;
}

function hunt(seeds: number): string | undefined {
  const main = join(folder, 'test/simulation/main.js');
  const run = spawnSync(process.execPath, [main, 'raft', '--seeds', String(seeds), '--until-failure'], {
    encoding: 'utf8',
  });
  if (run.status === 0) return undefined;
  return /^seed \d+: .*$/m.exec(run.stderr)?.[0] ?? run.stderr.trim().split('\n').slice(0, 3).join(' / ');
}

const arguments_ = process.argv.slice(2);
const seedsAt = arguments_.indexOf('--seeds');
const seeds = seedsAt === -1 ? 1000 : Number(arguments_.splice(seedsAt, 2)[1]);
const chosen = mutants.filter(({ name }) => arguments_.length === 0 || arguments_.some((part) => name.includes(part)));
let missed = 0;
for (const mutant of chosen) {
  plant(mutant);
  const how = mutant.unitTest === undefined ? hunt(seeds) : failsUnitTest(mutant.unitTest);
  if (how === undefined) missed++;
  console.log(how === undefined ? `MISSED ${mutant.name}` : `found  ${mutant.name}\n         ${how.slice(0, 160)}`);
}
if (existsSync(folder)) rmSync(folder, { recursive: true });
console.log(`${chosen.length - missed} of ${chosen.length} deliberate bugs found, with up to ${seeds} seeds each`);
process.exit(missed === 0 ? 0 : 1);
