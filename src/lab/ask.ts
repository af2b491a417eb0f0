import { httpGet } from './http-get.js';

/**
 * The program: `node ask.js URL [TIMES]` prints each answer on a line. It is run inside the client's network namespace, where this
 * process is not.
 */
async function main([url = '', times = '1']: string[]): Promise<void> {
  try {
    for (let turn = 0; turn < Number(times); turn++) console.log((await httpGet(url, false)).trim());
  } catch (error) {
    console.error(`${url}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

await main(process.argv.slice(2));
