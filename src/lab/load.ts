import { Agent } from 'node:http';
import { httpGet } from './http-get.js';

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
        const words = (await httpGet(url, agent)).trim().split(/\s+/);
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

await main(process.argv.slice(2));
