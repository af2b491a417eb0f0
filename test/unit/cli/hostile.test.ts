import assert from 'node:assert/strict';
import type { Flag } from '../../../src/cli/base/flag.js';
import { config, node, secret, service, swarm } from '../../../src/cli/commands.js';
import { createListOptions, updateListOptions } from '../../../src/cli/service/list-options.js';
import { scalarOptions } from '../../../src/cli/service/scalar-options.js';
import { cli } from '../../helpers/cli.js';
import { type FakeDaemon, startFakeDaemon } from '../../helpers/fake-daemon.js';
import { routes } from './golden/cluster.js';

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
  before(async () => {
    daemon = await startFakeDaemon(routes);
  });
  after(() => daemon.close());

  async function check(command: string[], flag: Flag<unknown>, operands: readonly string[]): Promise<void> {
    for (const [kind, value] of hostile) {
      const { code, err } = await cli(daemon, [...command, `--${flag.name}=${value}`, ...operands]);
      assert.ok(answers.includes(code), `--${flag.name} with ${kind}: exit ${code}: ${err.slice(0, 300)}`);
      assert.equal(code === 0, err === '', `--${flag.name} with ${kind}: exit ${code}: ${err.slice(0, 300)}`);
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

  const groups = { node, swarm, secret, config, service };
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

  it('references stay within their path', async () => {
    daemon.requests.length = 0;
    for (const reference of ['../swarm/leave', 'a/b?c=d#e', '..', '%2e%2e']) {
      await cli(daemon, ['service', 'rm', '--', reference]);
    }
    for (const { path } of daemon.requests) assert.match(path, /^\/services\/[^/]*$/);
  });
});
