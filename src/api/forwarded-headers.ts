import type { IncomingMessage, ServerResponse } from 'node:http';
import { ShoalError } from '../model/errors.js';

/** Headers that belong to one connection, not to the request (RFC 9110, 7.6.1), and what we answer for ourselves. */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
]);
const answeredByUs: ReadonlySet<string> = new Set(['api-version', 'docker-experimental', 'ostype', 'server', 'date']);

/** What is passed on of a message's headers. One that comes several times stays so: BuildKit lists its methods that way. */
export function forwardedHeaders(message: IncomingMessage): Record<string, string[]> {
  const named = new Set((message.headers.connection ?? '').split(',').map((one) => one.trim().toLowerCase()));
  const forwarded: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (values !== undefined && !ofConnection.has(name) && !named.has(name)) forwarded[name] = values;
  }
  return forwarded;
}

/** A text of an answer's head as it may go into ours: Node's parser lets more through than its writer takes, and then throws. */
export function plainText(text: string): string {
  return text.replace(/[^\t\x20-\x7e]/g, ' ');
}

/**
 * Puts the status and the headers of an engine's answer on ours; they go out with the first byte of the body. Throws `unavailable` for a
 * status that no answer has.
 */
export function takeHead(response: ServerResponse, answer: IncomingMessage): void {
  const { statusCode = 0, statusMessage = '' } = answer;
  if (statusCode < 200 || statusCode > 599) {
    throw new ShoalError('unavailable', `the engine answered with a status that there is not: ${statusCode}`);
  }
  for (const [name, values] of Object.entries(forwardedHeaders(answer))) {
    const plain = values.map(plainText);
    if (!answeredByUs.has(name)) response.setHeader(name, plain.length === 1 ? plain[0]! : plain);
  }
  response.statusCode = statusCode;
  response.statusMessage = plainText(statusMessage);
}
