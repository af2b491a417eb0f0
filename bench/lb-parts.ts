import { join } from 'node:path';

export const largeAnswer_bytes = 256 * 1024;

/** HAProxy's waits, in every configuration of the benches. */
const timeouts = 'timeout client 30s\n  timeout server 30s\n  timeout connect 2s';

/** HAProxy as the server: it answers from memory. `bind`: where little and much is asked; the large answer, if there is one, is the file `answer` of `folder`. */
export const serverConfig = (folder: string, bind: { small: string; large?: string }) => `
global
  maxconn 4000
  tune.bufsize ${largeAnswer_bytes + 32_768}
defaults
  mode http
  ${timeouts}
frontend small
  bind ${bind.small}
  http-request return status 200 content-type text/plain string small
${bind.large === undefined ? '' : largeFrontend(folder, bind.large)}`;

const largeFrontend = (folder: string, bind: string) => `frontend large
  bind ${bind}
  http-request return status 200 content-type application/octet-stream file ${join(folder, 'answer')}
`;

/** HAProxy as the balancer, before its `listen` sections. */
export const balancerHead = `
global
  maxconn 4000
defaults
  mode tcp
  ${timeouts}
`;

/** Requests a second, out of what wrk printed. Throws when any failed: a figure with failures in it says nothing. */
export function requestsPerSecond(printed: string, where: string): number {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(printed)?.[1];
  if (rate === undefined || /Socket errors|Non-2xx/.test(printed)) throw new Error(`${where}:\n${printed}`);
  return Number(rate);
}

/** Gb a second, of large answers a second. */
export const gigabits = (answersPerSecond: number) => (answersPerSecond * largeAnswer_bytes * 8) / 1e9;
