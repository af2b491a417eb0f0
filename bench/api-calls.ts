import { Agent, request } from 'node:http';
import { median } from './figures.js';

/** One side of a comparison: an API behind a unix socket, on kept connections. */
export interface Side {
  socketPath: string;
  agent: Agent;
}

export function sideOf(socketPath: string): Side {
  return { socketPath, agent: new Agent({ keepAlive: true }) };
}

export interface CallFigures {
  /** Of one call after the other. */
  p50_ms: number;
  /** Calls a second of eight clients at once. */
  rate: number;
}

const parallel = 8;

/** How one call after the other fares, and many at once. */
export async function measuredCalls(side: Side, path: string, seconds: number): Promise<CallFigures> {
  await ask(side, 'GET', path);
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const began = performance.now();
    await ask(side, 'GET', path);
    times.push(performance.now() - began);
  }
  let count = 0;
  const began = performance.now();
  const client = async () => {
    while (performance.now() < began + seconds * 1000) {
      await ask(side, 'GET', path);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, client));
  return { p50_ms: median(times), rate: count / ((performance.now() - began) / 1000) };
}

/** One call and its whole answer. Throws for a status of an error. */
export function ask({ socketPath, agent }: Side, method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const call = request({ socketPath, agent, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if ((response.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
      });
    });
    call.on('error', reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
