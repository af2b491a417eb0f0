import type { IncomingMessage, ServerResponse } from 'node:http';

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

/** Puts the status and the headers of an engine's answer on ours; they go out with the first byte of the body. */
export function takeHead(response: ServerResponse, answer: IncomingMessage): void {
  for (const [name, values] of Object.entries(forwardedHeaders(answer))) {
    if (!answeredByUs.has(name)) response.setHeader(name, values.length === 1 ? values[0]! : values);
  }
  response.statusCode = answer.statusCode ?? 502;
  response.statusMessage = answer.statusMessage ?? '';
}
