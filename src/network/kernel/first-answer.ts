import type { Clock } from '../../model/clock.js';
import type { Family } from '../../model/ip.js';
import type { Destinations } from './destinations.js';
import { lookups } from './lookups.js';
import { markMask, passMark } from './names.js';
import { hex, type RuleChain } from './ruleset.js';

/** A server that listens only so long after its container runs loses nobody. */
const starts_ms = 10_000;

/** What came into rotation lately, whose servers may not listen yet. */
export class Starting {
  private readonly until_ms = new Map<string, number>();
  private isFirst = true;

  constructor(private readonly clock: Clock) {}

  /** Rules that lead to `after` take the place of those that led to `before`: the destinations of TCP that are new. What was there at first is not. */
  replaced(before: Destinations, after: Destinations): ReadonlySet<string> {
    const now = this.clock.monotonic();
    for (const destination of after.keys()) {
      if (this.isFirst || before.has(destination) || destination.startsWith('udp')) continue;
      this.until_ms.set(destination, now + starts_ms);
    }
    this.isFirst = false;
    for (const [destination, until_ms] of this.until_ms) {
      if (!after.has(destination) || until_ms <= now) this.until_ms.delete(destination);
    }
    return new Set(this.until_ms.keys());
  }
}

/**
 * Where nobody listens the task's kernel refuses (a reset with sequence number 0 is an answer to a first packet, RFC 9293, 3.10.7.1). Of a
 * task that came lately the refusal is dropped: the client asks again after a second, and is led to the next task, as it would be at
 * once in user space. Nothing is there while nobody comes.
 */
export function startingParts(starting: ReadonlySet<string>, family: Family = 4) {
  const { ports, addresses } = lookups(starting, family);
  const chains = new Map<string, RuleChain>();
  if (ports.size + addresses.size > 0) {
    const ours = `ct mark & ${hex(markMask)} == ${hex(passMark)}`;
    const refused = `${ours} ct direction reply tcp flags & (rst | ack) == rst | ack tcp sequence 0`;
    chains.set('starting', {
      hook: 'type filter hook prerouting priority -145; policy accept',
      rules:
        family === 6
          ? [`${refused} ct reply ip6 saddr @starting_addresses drop`]
          : [
              `${refused} ct reply ip saddr . ct reply proto-src @starting_ports drop`,
              `${refused} ct reply ip saddr @starting_addresses drop`,
            ],
    });
  }
  return { chains, ports, addresses };
}
