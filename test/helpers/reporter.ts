import { appendFileSync } from 'node:fs';
import mocha from 'mocha';

/** Mocha's spec reporter that also leaves its counts for scripts/test, which prints the totals of all groups. */
export default class TotalsReporter extends mocha.reporters.Spec {
  constructor(runner: mocha.Runner, options: mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      const totals = process.env.SHOAL_TEST_TOTALS;
      if (totals !== undefined) appendFileSync(totals, `${runner.stats?.passes ?? 0} ${runner.stats?.failures ?? 0}\n`);
    });
  }
}
