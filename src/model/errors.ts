/** Every kind of failure a user or another node can meet: its code, and the HTTP status that the API answers with. */
export const errorCodes = {
  'invalid-argument': 400,
  unauthorized: 401,
  forbidden: 403,
  'node-removed': 403, // to a node that was taken out of the cluster: it stops what it runs for it
  'not-found': 404,
  'not-a-manager': 503, // Docker: "This node is not a swarm manager…" is 503 on services, tasks, nodes
  locked: 503,
  'no-leader': 503,
  overloaded: 503,
  'already-in-swarm': 503,
  'out-of-sequence': 500, // Docker answers a version conflict with 500 "… update out of sequence"
  'name-conflict': 409,
  conflict: 409,
  'in-use': 400,
  'failed-precondition': 400, // so Docker answers swarmkit's FailedPrecondition
  'not-supported': 501,
  unavailable: 503,
  internal: 500,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** The one error that we throw on purpose. `message` is a sentence for the user: what was wrong, where, what is allowed. */
export class ShoalError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ShoalError';
    this.code = code;
  }

  /** HTTP status of the REST answer. */
  get status(): number {
    return errorCodes[this.code];
  }
}

/** The text of anything thrown, for a log line or an error body. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
