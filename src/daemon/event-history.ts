import { isIP } from 'node:net';
import type { Logger } from 'winston';
import { type History, MemoryHistory } from '../manager/history/history.js';
import { RedisHistory } from '../manager/history/redis-history.js';

const isHere = (host: string) => host === 'localhost' || (isIP(host) !== 0 && /^(127\.|::1$)/.test(host));

/**
 * Where the cluster's events are kept: in memory, or in the Redis at `url` (redis://, rediss://). Warns of one on another machine that is
 * asked without TLS: everything else between nodes is encrypted.
 */
export function historyAt(url: string, clusterID: () => string, log: Logger): () => History {
  if (url === '') return () => new MemoryHistory();
  const { protocol, hostname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol !== 'rediss:' && !isHere(host)) {
    log.warn("THE CLUSTER'S EVENTS GO TO REDIS IN THE CLEAR, and its password with them; rediss:// is encrypted", {
      host,
    });
  }
  return () => new RedisHistory(url, clusterID(), log.child({ part: 'history' }));
}
