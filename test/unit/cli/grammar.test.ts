import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseHost } from '../../../src/cli/base/client.js';
import { CliError } from '../../../src/cli/base/errors.js';
import { type Flag, flag, list, onOff, text } from '../../../src/cli/base/flag.js';
import { parseArguments } from '../../../src/cli/base/grammar.js';
import { alignTable, ellipsis, oneLine } from '../../../src/cli/base/table.js';
import { splitFields, splitWords } from '../../../src/cli/service/words.js';

const name = text('name', '', { short: 'n' });
const env = list('env', '', (word) => word, { short: 'e' });
const detach = onOff('detach', '', { short: 'd' });
const quiet = onOff('quiet', '', { short: 'q' });
const picky = flag('picky', 'word', '', (word) => {
  if (word !== 'yes') throw new Error('say yes');
  return word;
});
const flags: Flag<unknown>[] = [name, env, detach, quiet, picky];

function read(args: string[], mixed = true) {
  const { values, operands, help } = parseArguments(args, flags, mixed);
  return { name: values.get(name), env: values.get(env), d: values.get(detach), q: values.get(quiet), operands, help };
}

describe('a command line', () => {
  it('takes values in all of the ways that Docker does', () => {
    for (const args of [
      ['--name', 'x'],
      ['--name=x'],
      ['-n', 'x'],
      ['-nx'],
      ['-n=x'],
      ['-dnx'],
      ['-dn', 'x'],
      ['-dqn=x'],
    ]) {
      assert.equal(read(args).name, 'x', args.join(' '));
    }
    assert.deepEqual(read(['-e', 'a', '-eb', '--env=c', '--env', 'd=e']).env, ['a', 'b', 'c', 'd=e']);
    assert.equal(read(['--name=']).name, '');
    assert.equal(read(['--name', '--detach']).name, '--detach');
    assert.equal(read(['--name', 'a', '--name', 'b']).name, 'b');
  });

  it('takes switches alone or with a truth', () => {
    assert.equal(read(['-d']).d, true);
    assert.equal(read(['--detach=false']).d, false);
    assert.equal(read(['-d=F']).d, false);
    assert.deepEqual([read(['-dq']).d, read(['-dq']).q], [true, true]);
    assert.deepEqual(read(['-d', 'false']).operands, ['false']);
  });

  it('ends options at --, or at the first operand when they come first', () => {
    assert.deepEqual(read(['a', '-d', 'b']).operands, ['a', 'b']);
    assert.deepEqual(read(['--', '-d']).operands, ['-d']);
    assert.deepEqual(read(['-d', 'img', '-d', '--x', '--', 'y'], false).operands, ['img', '-d', '--x', '--', 'y']);
    assert.deepEqual(read(['-']).operands, ['-']);
    assert.deepEqual(read(['', 'x'], false).operands, ['', 'x']);
  });

  it('refuses what it does not know in the words of pflag', () => {
    const refused: [string[], string][] = [
      [['--nope'], 'unknown flag: --nope'],
      [['--nope=1'], 'unknown flag: --nope'],
      [['-z'], "unknown shorthand flag: 'z' in -z"],
      [['-dz'], "unknown shorthand flag: 'z' in -dz"],
      [['--name'], 'flag needs an argument: --name'],
      [['-n'], "flag needs an argument: 'n' in -n"],
      [['-dn'], "flag needs an argument: 'n' in -dn"],
      [['--=x'], 'bad flag syntax: --=x'],
      [['---x'], 'bad flag syntax: ---x'],
      [['--picky', 'no'], 'invalid argument "no" for "--picky" flag: say yes'],
      [['-d=maybe'], 'invalid argument "maybe" for "-d, --detach" flag: "maybe" is not true or false'],
      [['--__proto__'], 'unknown flag: --__proto__'],
    ];
    for (const [args, message] of refused) {
      assert.throws(
        () => read(args),
        (thrown) => thrown instanceof CliError && thrown.message === message && thrown.exitCode === 125,
        args.join(' '),
      );
    }
  });

  it('gives every operand back, and fails in its own way only', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        assert.deepEqual(read(['--', ...words]).operands, words);
        try {
          read(words);
        } catch (thrown) {
          assert.ok(thrown instanceof CliError);
        }
      }),
    );
  });
});

describe('words', () => {
  it('are split as a shell splits them', () => {
    const cases: [string, string[]][] = [
      ['', []],
      ['  a  b ', ['a', 'b']],
      [`sh -c "a b"`, ['sh', '-c', 'a b']],
      [`'a"b' "c'd"`, ['a"b', "c'd"]],
      [`a\\ b`, ['a b']],
      [`"a\\"b\\n"`, ['a"b\\n']],
      [`''`, ['']],
      [`x''y`, ['xy']],
    ];
    for (const [line, words] of cases) assert.deepEqual(splitWords(line), words, line);
    for (const line of [`'`, `"a`, `a\\`]) assert.throws(() => splitWords(line), Error);
  });

  it('survive quoting, whatever they are', () => {
    const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
        assert.deepEqual(splitWords(words.map(quote).join(' ')), words);
      }),
    );
  });

  it('as comma-separated fields may hold commas in quotes', () => {
    assert.deepEqual(splitFields('a,b=c,"d,e","f""g",'), ['a', 'b=c', 'd,e', 'f"g', '']);
    assert.deepEqual(splitFields(''), ['']);
    assert.throws(() => splitFields('"a'), /missing "/);
    const quoted = (field: string) => `"${field.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (fields) => {
        assert.deepEqual(splitFields(fields.map(quoted).join(',')), fields);
      }),
    );
  });
});

describe('tables', () => {
  it('are aligned as Docker aligns them', () => {
    assert.equal(
      alignTable([
        ['ID', 'NAME', 'X'],
        ['averylongidentifier', 'b', ''],
      ]),
      'ID                    NAME      X\naverylongidentifier   b         \n',
    );
  });

  it('show nothing that a terminal would obey', () => {
    assert.equal(oneLine('a\x1b[2Jb\nc\x07'), 'a [2Jb c ');
    assert.equal(ellipsis('abcdef', 4), 'abc…');
    assert.equal(ellipsis('abcd', 4), 'abcd');
  });
});

describe('the host of the daemon', () => {
  it('is a socket or an address', () => {
    assert.deepEqual(parseHost('unix:///a/b.sock'), { socketPath: '/a/b.sock' });
    assert.deepEqual(parseHost('tcp://1.2.3.4:99'), { host: '1.2.3.4', port: 99 });
    assert.deepEqual(parseHost('tcp://box'), { host: 'box', port: 2375 });
    assert.deepEqual(parseHost('tcp://[::1]:1'), { host: '::1', port: 1 });
    for (const host of [
      '',
      'x',
      'ssh://a',
      'tcp://',
      'unix://',
      'tcp://a:0',
      'tcp://a:65536',
      'tcp://a:b',
      'tcp://a/b',
      'tcp://a@b',
    ]) {
      assert.throws(() => parseHost(host), CliError, host);
    }
  });
});
