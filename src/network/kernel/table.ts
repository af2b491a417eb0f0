import type { Logger } from 'winston';
import { differenceIn, parseListing } from './listing.js';
import { comparedTableName, tableName } from './names.js';
import { type Ruleset, renderChange, renderWhole } from './ruleset.js';
import { type KernelTools, unlessMissing } from './tools.js';

/** Our nft table of one family: brought from what it holds to what it shall hold, each time in one transaction. */
export class RuleTable {
  /** What it holds when nobody else has touched it; undefined when that is not known. */
  private applied: Ruleset | undefined;
  /** Nobody has looked yet: an agent before us may have left one. */
  private isUnknown = true;

  constructor(
    private readonly family: Ruleset['family'],
    private readonly tools: KernelTools,
    private readonly log: Logger,
  ) {}

  get mayBeThere(): boolean {
    return this.applied !== undefined || this.isUnknown;
  }

  /** Whether it holds what was asked for last, or there is none. */
  get isCurrent(): boolean {
    return !this.isUnknown;
  }

  /**
   * In proportion to what changed; the whole when the table is not as it was left, which shows when `isLook`, or when the change
   * does not fit. Throws what the tools throw; then the table is as it was.
   */
  async make(wanted: Ruleset, isLook: boolean): Promise<void> {
    const known = this.applied;
    const difference = known === undefined ? '' : isLook ? await this.difference(known) : undefined;
    if (known === undefined || difference !== undefined) {
      if (difference) this.log.warn('the rules were changed by somebody else, and are put right', { difference });
      await this.send(renderWhole(wanted), wanted);
      return;
    }
    const change = renderChange(known, wanted);
    if (change === '') return;
    try {
      await this.send(change, wanted);
    } catch {
      await this.send(renderWhole(wanted), wanted); // somebody else was there since the last look
    }
  }

  async remove(): Promise<void> {
    const wasMade = this.applied !== undefined;
    this.applied = undefined;
    this.isUnknown = true;
    // A `verify` that was killed may have left the other; without `nft` nobody has made any.
    const text = [tableName, comparedTableName]
      .map((name) => `table ${this.family} ${name}\ndelete table ${this.family} ${name}\n`)
      .join('');
    const removed = unlessMissing(this.tools.run('nft', ['-f', '-'], text));
    // A kernel whose nft knows no IPv6 has no such table.
    await (this.family === 'ip6' && !wasMade ? removed.catch(() => {}) : removed);
    this.isUnknown = false;
  }

  private async difference(known: Ruleset): Promise<string | undefined> {
    const listing = await this.tools.run('nft', ['list', 'table', this.family, tableName]).catch(() => undefined);
    return listing === undefined ? 'it is gone' : differenceIn(parseListing(listing), known);
  }

  private async send(text: string, holds: Ruleset): Promise<void> {
    this.applied = undefined;
    this.isUnknown = true;
    await this.tools.run('nft', ['-f', '-'], text);
    this.applied = holds;
    this.isUnknown = false;
  }
}
