import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Flag } from '../../../src/cli/base/flag.js';
import { config, node, secret, service, stack, swarm } from '../../../src/cli/commands.js';
import { createListOptions, updateListOptions } from '../../../src/cli/service/list-options.js';
import { scalarOptions } from '../../../src/cli/service/scalar-options.js';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';
import { routes } from './golden/cluster.js';
import { stackRoutes, stacksFolder } from './golden/stacks.js';

const hostile: [string, string][] = [
  ['empty', ''],
  ['a space', ' '],
  ['huge', 'x'.repeat(30_000)],
  ['many digits', '9'.repeat(400)],
  ['many fields', 'a=b,'.repeat(5_000)],
  ['unicode', '日本語🦈\u202e\u0000'],
  ['negative', '-1'],
  ['not a number', 'NaN'],
  ['an exponent', '1e308'],
  ['a quote', '"'],
  ['an own name', '__proto__=x'],
  ['a path', '../../../etc/passwd'],
  ['a new line', 'a\nb=c'],
];

/** Exit codes that are an answer: done, refused by us or the daemon, or not understood. */
const answers = [0, 1, 125];

describe('whatever an option is given', () => {
  let daemon: FakeDaemon;
  let deaf: FakeDaemon;
  before(async () => {
    daemon = await startFakeDaemon(routes);
    deaf = await startFakeDaemon(stackRoutes);
  });
  after(async () => {
    await daemon.close();
    await deaf.close();
  });

  async function check(command: string[], flag: Flag<unknown>, operands: readonly string[]): Promise<void> {
    for (const [kind, value] of hostile) {
      const { code, err } = await cli(daemon, [...command, `--${flag.name}=${value}`, ...operands]);
      assert.ok(answers.includes(code), `--${flag.name} with ${kind}: exit ${code}: ${err.slice(0, 300)}`);
      const isSilent = err === '' || /^image .* could not be accessed/.test(err); // which is a warning
      assert.equal(code === 0, isSilent, `--${flag.name} with ${kind}: exit ${code}: ${err.slice(0, 300)}`);
      // A mistake of ours, not of the user's.
      assert.doesNotMatch(
        err,
        /TypeError|RangeError|undefined|\[object|is not a function/,
        `--${flag.name} with ${kind}`,
      );
    }
  }

  for (const flag of [...scalarOptions, ...createListOptions]) {
    it(`service create --${flag.name} takes it, or says what is wrong`, () =>
      check(['service', 'create', '-d', '--no-resolve-image'], flag, ['img']));
  }
  for (const flag of updateListOptions) {
    it(`service update --${flag.name} takes it, or says what is wrong`, () =>
      check(['service', 'update', '-d'], flag, ['n']));
  }

  const groups = { node, swarm, secret, config, service, stack };
  for (const [group, entries] of Object.entries(groups)) {
    for (const entry of entries.filter(({ name }) => group !== 'service' || !['create', 'update'].includes(name))) {
      it(`every option of ${group} ${entry.name} takes it, or says what is wrong`, async () => {
        const { flags, operands } = await entry.load();
        const given = Array.from({ length: Math.max(operands.min, operands.max === 1 ? 1 : 0) }, () => 'n');
        for (const flag of flags) await check([group, entry.name], flag, given);
      });
    }
  }

  it('operands are answered too', async () => {
    const commands = [
      ['service', 'create', '-d', '--no-resolve-image'],
      ['service', 'update', '-d'],
      ['service', 'scale', '-d'],
      ['service', 'ps'],
      ['service', 'inspect'],
      ['service', 'rm'],
      ['service', 'logs'],
      ['node', 'inspect'],
      ['node', 'rm'],
      ['node', 'promote'],
      ['node', 'update'],
      ['swarm', 'join'],
      ['swarm', 'join-token'],
      ['secret', 'rm'],
      ['config', 'inspect'],
    ];
    for (const command of commands) {
      for (const [kind, value] of hostile) {
        const { code, err } = await cli(daemon, [...command, '--', value]);
        assert.ok(answers.includes(code), `${command.join(' ')} with ${kind}: exit ${code}`);
        assert.doesNotMatch(err, /TypeError|RangeError|is not a function/, `${command.join(' ')} with ${kind}`);
      }
    }
  });

  it('a compose file may hold anything anywhere', async () => {
    const whole = parse(readFileSync(join(stacksFolder, 'web.yml'), 'utf8'), { merge: true });
    const places: string[][] = [];
    const walk = (value: unknown, path: string[]) => {
      places.push(path);
      if (typeof value === 'object' && value !== null) {
        for (const [key, part] of Object.entries(value)) walk(part, [...path, key]);
      }
    };
    walk(whole, []);
    const values = [
      null,
      '',
      'x',
      '${',
      '$A',
      0,
      -1,
      1.5,
      1e308,
      true,
      [],
      [null],
      [[]],
      {},
      { __proto__x: 1 },
      'A'.repeat(9_000),
    ];
    for (const path of places) {
      for (const value of values) {
        const changed = path.length === 0 ? value : structuredClone(whole);
        let place = changed as Record<string, unknown>;
        for (const key of path.slice(0, -1)) place = place[key] as Record<string, unknown>;
        if (path.length > 0) place[path.at(-1)!] = value;
        const files = { '/s/x.yml': stringify(changed), '/s/db-password.txt': 'x' };
        const world = { files, env: { TAG: '1', OWN: 'o' } };
        const { code, err } = await cli(
          deaf,
          ['stack', 'deploy', '-c', '/s/x.yml', '--resolve-image=never', 's'],
          world,
        );
        const where = `${path.join('.')}=${JSON.stringify(value)?.slice(0, 40)}: exit ${code}: ${err.slice(0, 300)}`;
        assert.ok(answers.includes(code), where);
        assert.doesNotMatch(err, /TypeError|RangeError|undefined is|\[object|not a function|Cannot read/, where);
      }
    }
  });

  it('a compose file that is no YAML, or a bomb, is refused by line', async () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [at, letter] of [...'bcdefghi'].entries()) {
      const before = 'abcdefgh'[at];
      bomb.push(`${letter}: &${letter} [${Array.from({ length: 9 }, () => `*${before}`).join(',')}]`);
    }
    for (const input of [
      '{',
      'a: b: c',
      '\t- x',
      '\u0000',
      '%YAML 9',
      '&a [*a]',
      'a: *b',
      bomb.join('\n'),
      '- 1',
      '5',
    ]) {
      const { code, err } = await cli(deaf, ['stack', 'deploy', '-c', '-', 's'], { input });
      assert.equal(code, 1, input);
      assert.match(err, /^yaml: |^top-level object must be a mapping|^\(root\) /, input);
    }
  });

  it('references stay within their path', async () => {
    daemon.requests.length = 0;
    for (const reference of ['../swarm/leave', 'a/b?c=d#e', '..', '%2e%2e']) {
      await cli(daemon, ['service', 'rm', '--', reference]);
    }
    for (const { path } of daemon.requests) assert.match(path, /^\/services\/[^/]*$/);
  });
});
