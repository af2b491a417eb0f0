import type { Logger } from 'winston';
import type { Ruleset } from './ruleset.js';
import { RuleTable } from './table.js';
import type { KernelTools } from './tools.js';

/** The rules of both families; without those of IPv6 where no network has it. */
export interface Rules {
  ipv4: Ruleset;
  ipv6: Ruleset | undefined;
}

/** Our nft tables, each changed in one transaction. */
export class RuleTables {
  private readonly ipv4: RuleTable;
  private readonly ipv6: RuleTable;

  /** `knowsIPv6`: so does the kernel. Without it there is no table to be asked for. */
  constructor(
    tools: KernelTools,
    log: Logger,
    private readonly knowsIPv6: () => boolean,
  ) {
    this.ipv4 = new RuleTable('ip', tools, log);
    this.ipv6 = new RuleTable('ip6', tools, log);
  }

  get mayBeThere(): boolean {
    return this.all.some((table) => table.mayBeThere);
  }

  /** Whether they hold what was asked for last, or there are none. */
  get isCurrent(): boolean {
    return this.all.every((table) => table.isCurrent);
  }

  /** As `RuleTable.make`, one after the other. */
  async make({ ipv4, ipv6 }: Rules, isLook: boolean): Promise<void> {
    await this.ipv4.make(ipv4, isLook);
    if (ipv6 !== undefined) await this.ipv6.make(ipv6, isLook);
    else if (this.ipv6.mayBeThere && this.knowsIPv6()) await this.ipv6.remove();
  }

  async remove(): Promise<void> {
    for (const table of this.all) await table.remove();
  }

  private get all(): RuleTable[] {
    return this.knowsIPv6() ? [this.ipv4, this.ipv6] : [this.ipv4];
  }
}
