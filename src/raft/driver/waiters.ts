/** Promises that settle as soon as a condition on the node holds; it is looked at after everything that happens. */
export class Waiters {
  private waiters: { check: () => boolean; resolve: () => void; reject: (error: unknown) => void }[] = [];

  /** `check` gives true when it is done, or throws. */
  until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ check, resolve, reject });
      this.look();
    });
  }

  look(): void {
    if (this.waiters.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => {
      try {
        if (!waiter.check()) return true;
        waiter.resolve();
      } catch (error) {
        waiter.reject(error);
      }
      return false;
    });
  }

  failAll(error: Error): void {
    for (const waiter of this.waiters.splice(0)) waiter.reject(error);
  }
}
