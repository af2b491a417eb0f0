import { type Agent, request } from 'node:http';

const answer_ms_max = 5_000;

/** One GET; the body of a 200, anything else is an error. `agent` false: on a connection of its own. */
export function httpGet(url: string, agent: Agent | false): Promise<string> {
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
