import { type ErrorCode, messageOf, ShoalError } from '../model/errors.js';

const codes: Record<number, ErrorCode> = {
  400: 'invalid-argument',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'name-conflict',
  501: 'not-supported',
  503: 'unavailable',
};

/** What to do about a socket that cannot be connected to. */
const advice: Readonly<Record<string, string>> = {
  ENOENT: '; is Docker Engine installed and running, and is this its socket (--engine-socket)?',
  ECONNREFUSED: '; is Docker Engine running?',
  EACCES: '; this user may not use the socket: often those in the group docker may',
};

/** What dockerode threw, as ours: a refusal in the engine's own words, or `unavailable` when there was no answer at all. */
export function engineError(thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown;
  const { statusCode, json } = (thrown ?? {}) as { statusCode?: unknown; json?: unknown };
  if (typeof statusCode !== 'number') {
    const { code, syscall } = (thrown ?? {}) as NodeJS.ErrnoException;
    const then = (syscall === 'connect' && advice[code ?? '']) || '';
    return new ShoalError('unavailable', `the engine cannot be reached: ${messageOf(thrown)}${then}`, {
      cause: thrown,
    });
  }
  const said = (json as { message?: unknown } | null | undefined)?.message;
  // dockerode wraps what it could not parse as "(HTTP code 500) server error - words "
  const words = typeof said === 'string' ? said : messageOf(thrown).replace(/^\(HTTP code \d+\) .*? - /, '');
  return new ShoalError(codes[statusCode] ?? 'internal', words.trim(), { cause: thrown });
}
