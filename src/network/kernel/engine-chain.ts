import type { Logger } from 'winston';
import { messageOf } from '../../model/errors.js';
import { markMask, passMark } from './names.js';
import { hex } from './ruleset.js';
import type { KernelTools } from './tools.js';

const chain = 'DOCKER-USER';
const ours = `${hex(passMark)}/${hex(markMask)}`;
const passRule = ['-m', 'mark', '--mark', ours, '-j', 'ACCEPT'];

/** What asks for the engine's chains of a family. Engines before 27 have none of IPv6, unless they are told to. */
const commands = { ip: 'iptables', ip6: 'ip6tables' } as const;
/** Where an engine that filters by nftables itself (29 and later, --firewall-backend=nftables) does so. It leaves no chain to others. */
const ownTable = (family: keyof typeof commands) => ['list', 'chain', family, 'docker-bridges', 'filter-FORWARD'];
/** Its rule for --bridge-accept-fwmark, in nft's words. */
const ownPassRule = new RegExp(`mark & ${hex(markMask)} == ${hex(passMark)} .*accept`);

/** The engine drops what it does not know; one rule in the chain that it leaves to others lets through what carries our mark, last of all. */
export class EngineChain {
  private said = '';

  constructor(
    private readonly family: keyof typeof commands,
    private readonly tools: KernelTools,
    private readonly log: Logger,
  ) {}

  /** Puts the rule in, if it is not there. Never throws: it is called again and again. */
  async pass(): Promise<void> {
    try {
      await this.run('-C', chain, ...passRule);
    } catch {
      await this.insert().catch((error) => this.lacking(messageOf(error)));
    }
  }

  /** Takes the rule away. */
  async unpass(): Promise<void> {
    await this.run('-D', chain, ...passRule).catch(() => {}); // the engine may have taken its chain away
  }

  private run(...words: string[]): Promise<string> {
    return this.tools.run(commands[this.family], ['-w', ...words]);
  }

  /** Before the return at its end, which the engine puts there, and after all that an administrator refuses there. */
  private async insert(): Promise<void> {
    const listing = await this.run('-S', chain);
    const rules = listing.split('\n').filter((line) => line.startsWith('-A '));
    const place = rules.at(-1) === `-A ${chain} -j RETURN` ? rules.length : rules.length + 1;
    await this.run('-I', chain, `${place}`, ...passRule);
  }

  /** Without the engine's chain nothing of the engine's stands in the way either, unless it filters in a table of its own. */
  private async lacking(reason: string): Promise<void> {
    const filter = await this.tools.run('nft', ownTable(this.family)).catch(() => '');
    const isClosed = filter !== '' && !ownPassRule.test(filter);
    const words = isClosed
      ? `the engine filters by nftables: start it with --bridge-accept-fwmark=${ours}, or what comes from other nodes may be dropped`
      : 'the engine has no chain for us';
    if (words === this.said) return;
    this.said = words;
    this.log[isClosed ? 'warn' : 'debug'](words, { reason });
  }
}
