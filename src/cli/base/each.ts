import { CliError } from './errors.js';

/** Does the same to many; what fails is told together at the end. */
export async function eachInTurn(
  references: readonly string[],
  work: (reference: string) => Promise<void>,
): Promise<void> {
  const failures: string[] = [];
  for (const reference of references) {
    try {
      await work(reference);
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown;
      failures.push(thrown.message);
    }
  }
  if (failures.length > 0) throw new CliError(failures.join('\n'));
}
