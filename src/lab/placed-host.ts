import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostOptions } from './host.js';
import type { HostLayout } from './layout.js';
import { isRunning, type ProcessMark } from './processes.js';

/** What every kind of host is: a place in the lab's folder, and a process that it lives and dies with. */
export abstract class PlacedHost {
  constructor(
    protected readonly layout: HostLayout,
    protected readonly options: HostOptions,
  ) {}

  get index() {
    return this.layout.index;
  }
  get name() {
    return this.layout.name;
  }
  get apiSocket() {
    return this.layout.apiSocket;
  }
  get daemonLog() {
    return this.layout.daemonLog;
  }

  isUp(): boolean {
    return isRunning(this.mark());
  }

  private get markFile() {
    return join(this.layout.directory, 'process.json');
  }

  /** The process, over all `shoal lab` commands; undefined when it was never started or is known to have ended. */
  protected mark(): ProcessMark | undefined {
    try {
      return JSON.parse(readFileSync(this.markFile, 'utf8'));
    } catch {
      return undefined;
    }
  }

  protected remember(mark: ProcessMark): void {
    writeFileSync(this.markFile, JSON.stringify(mark));
  }

  protected forget(): void {
    rmSync(this.markFile, { force: true });
  }
}
