/** What one client may cost. */
export interface Limits {
  /** How long request headers may take to arrive. */
  headers_ms: number;
  headers_bytes: number;
  /** How long a JSON body may take to arrive, and its size. What passes through to the engine is not bounded. */
  body_ms: number;
  body_bytes: number;
  /** How long a connection is kept that asks for nothing. */
  idle_ms: number;
  connections: number;
  /** Of them, those that have not asked for anything yet. */
  silent: number;
  /** Requests under way at once, streams included. */
  requests: number;
  /** Of them, those of one connection, whose client has not waited for answers. */
  pipelined: number;
}

export const defaultLimits: Limits = {
  headers_ms: 10_000,
  headers_bytes: 128 * 1024, // X-Registry-Config of a client that is logged in to many registries
  body_ms: 30_000, // the largest body still fits at 140 KB/s
  body_bytes: 4 * 1024 * 1024, // the largest config is 1000 KB, a third more in base64
  idle_ms: 75_000,
  connections: 4096,
  silent: 1024,
  requests: 1024,
  pipelined: 32,
};
