import { request } from 'node:http';

const answer_ms_max = 3_000;

/** One GET on a connection of its own; the body of a 200. */
function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, timeout: answer_ms_max }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () =>
        response.statusCode === 200 ? resolve(text) : reject(new Error(`status ${response.statusCode}`)),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer in time')));
    call.on('error', reject);
    call.end();
  });
}

/**
 * The program: `node ask.js URL [TIMES]` prints each answer on a line. It is run inside the client's network namespace, where this
 * process is not.
 */
async function main([url = '', times = '1']: string[]): Promise<void> {
  try {
    for (let turn = 0; turn < Number(times); turn++) console.log((await get(url)).trim());
  } catch (error) {
    console.error(`${url}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

await main(process.argv.slice(2));
