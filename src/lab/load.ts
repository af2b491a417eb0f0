import { Agent, request } from 'node:http';

/** What a run of steady load saw; printed as one line of JSON on SIGTERM. */
export interface LoadReport {
  requests: number;
  failed: number;
  /** How often each failure happened, by its message. */
  errors: Record<string, number>;
  /** How often each first word of an answer was seen: which version answered. */
  answers: Record<string, number>;
  /** How often each last word of an answer was seen: which replica answered. */
  replicas: Record<string, number>;
}

const clients = 4;
const pause_ms = 10; // a steady stream, not a flood: the two cores are shared with the engines under test
const answer_ms_max = 5_000;

/**
 * The program: `node load.js [--keep-alive] URL…` sends GET requests, to the URLs in turn, from four clients until SIGTERM. No request
 * is ever sent twice: a failure counts.
 */
async function main(args: string[]): Promise<void> {
  const keepAlive = args[0] === '--keep-alive';
  const urls = keepAlive ? args.slice(1) : args;
  const report: LoadReport = { requests: 0, failed: 0, errors: {}, answers: {}, replicas: {} };
  const agent = new Agent({ keepAlive, maxSockets: clients });
  let going = true;
  process.on('SIGTERM', () => {
    going = false;
  });
  process.stdout.write('ready\n');
  let turn = 0;
  const client = async () => {
    while (going) {
      const url = urls[turn++ % urls.length] as string;
      report.requests += 1;
      try {
        const words = (await get(url, agent)).trim().split(/\s+/);
        count(report.answers, words[0] ?? '');
        count(report.replicas, words.at(-1) ?? '');
      } catch (error) {
        report.failed += 1;
        count(report.errors, `${url}: ${(error as Error).message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  console.log(JSON.stringify(report));
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

function get(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent, timeout: answer_ms_max }, (response) => {
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

await main(process.argv.slice(2));
