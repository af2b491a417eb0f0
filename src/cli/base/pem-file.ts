import type { Context } from './context.js';
import { CliError } from './errors.js';
import { fileReason } from './file-reason.js';

const hasBlock = /-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END \1-----/;

/**
 * The text of a PEM file that the value `given` of a flag names; in Docker's words, `notRead` in front of what kept it from being read, and
 * `notPEM` when there is no PEM in it.
 */
export async function readPemFile(
  context: Context,
  path: string,
  { flag, given, notRead, notPEM }: { flag: string; given: string; notRead: string; notPEM: string },
): Promise<string> {
  const refused = (what: string) =>
    new CliError(`invalid argument ${JSON.stringify(given)} for "--${flag}" flag: ${what}`, { exitCode: 125 });
  const content = await context.readFile(path).catch((thrown: unknown) => {
    throw refused(`${notRead}${fileReason(path, thrown)}`);
  });
  const text = content.toString('utf8');
  if (!hasBlock.test(text)) throw refused(notPEM);
  return text;
}
