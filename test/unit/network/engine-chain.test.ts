import assert from 'node:assert/strict';
import { createLogger, type Logger } from 'winston';
import { ShoalError } from '../../../src/model/errors.js';
import { EngineChain } from '../../../src/network/kernel/engine-chain.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';

const ours = '-m mark --mark 0x53000000/0xff000000 -j ACCEPT';
const log = createLogger({ silent: true });
const passEngine = (tools: KernelTools) => new EngineChain('ip', tools, log).pass();
const unpassEngine = (tools: KernelTools) => new EngineChain('ip', tools, log).unpass();

/** The engine's chain as iptables keeps it; undefined: there is none. */
class Iptables implements KernelTools {
  constructor(public rules: string[] | undefined) {}
  async run(_command: string, [, action = '', , ...words]: readonly string[]) {
    const { rules } = this;
    if (rules === undefined) throw new ShoalError('unavailable', 'No chain/target/match by that name.');
    const at = rules.indexOf(words.join(' '));
    if (action === '-S') return ['-N DOCKER-USER', ...rules.map((rule) => `-A DOCKER-USER ${rule}`), ''].join('\n');
    if (action === '-I') rules.splice(Number(words[0]) - 1, 0, words.slice(1).join(' '));
    else if (at < 0) throw new ShoalError('unavailable', 'Bad rule');
    else if (action === '-D') rules.splice(at, 1);
    return '';
  }
  async setSysctl() {}
  sysctl() {
    return undefined;
  }
  hasDevice() {
    return false;
  }
}

describe('our rule in the engine’s chain', () => {
  it('is there once, after what an administrator refuses and before the return at the end', async () => {
    const tools = new Iptables(['-s 192.0.2.0/24 -j DROP', '-j RETURN']);
    await passEngine(tools);
    await passEngine(tools);
    assert.deepEqual(tools.rules, ['-s 192.0.2.0/24 -j DROP', ours, '-j RETURN']);
    await unpassEngine(tools);
    assert.deepEqual(tools.rules, ['-s 192.0.2.0/24 -j DROP', '-j RETURN']);
  });

  it('is at the end of one that returns nowhere, and alone in an empty one', async () => {
    for (const before of [['-s 192.0.2.0/24 -j DROP'], []]) {
      const tools = new Iptables([...before]);
      await passEngine(tools);
      assert.deepEqual(tools.rules, [...before, ours]);
    }
  });

  it('is no failure where the engine has no such chain', async () => {
    await passEngine(new Iptables(undefined));
    await unpassEngine(new Iptables(undefined));
  });

  it('is asked for, once, where the engine filters by nftables and does not know our mark', async () => {
    // As engine 29 has it: no chain for others, and a filter of its own in which accepting elsewhere does not count.
    const marked = 'meta mark & 0xff000000 == 0x53000000 counter packets 0 bytes 0 accept comment "ALLOW MARKED"';
    for (const [rule, isAsked] of [
      ['oifname vmap @filter-forward-in-jumps', true],
      ['meta mark 0x00000001 accept', true],
      [marked, false],
    ] as const) {
      const said: string[] = [];
      const tools = new Iptables(undefined);
      const run = tools.run.bind(tools);
      const listing = `table ip docker-bridges {\n\tchain filter-FORWARD {\n\t\t${rule}\n\t}\n}\n`;
      tools.run = async (command, args) => (command === ('nft' as string) ? listing : run(command, args));
      const chain = new EngineChain('ip', tools, {
        warn: (words: string) => said.push(words),
        debug() {},
      } as unknown as Logger);
      await chain.pass();
      await chain.pass();
      assert.equal(said.length, isAsked ? 1 : 0, rule);
      if (isAsked) assert.match(said[0]!, /--bridge-accept-fwmark=0x53000000\/0xff000000/);
    }
  });
});
