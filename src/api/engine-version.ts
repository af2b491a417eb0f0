import { type Connect, getJSON } from './engine.js';
import { apiVersion } from './version.js';

/** How long what an engine said of its API version holds: an engine is upgraded now and then under a running daemon. */
const age_ms = 30_000;

/** An engine's own API version, asked once in a while. */
export class EngineVersion {
  private readonly connect: Connect;
  private readonly now: () => number;
  private known: Promise<number> | undefined;
  private knownAt_ms = 0;

  constructor(connect: Connect, now: () => number) {
    this.connect = connect;
    this.now = now;
  }

  /** Minor of the newest API version that the engine speaks. Throws `unavailable`. */
  minor(): Promise<number> {
    if (this.known === undefined || this.now() - this.knownAt_ms > age_ms) {
      this.knownAt_ms = this.now();
      const asked = this.ask();
      asked.catch(() => {
        if (this.known === asked) this.known = undefined;
      });
      this.known = asked;
    }
    return this.known;
  }

  private async ask(): Promise<number> {
    const { response } = await getJSON(this.connect, '/_ping');
    const match = /^1\.(\d{1,4})$/.exec(String(response.headers['api-version'] ?? ''));
    return match === null ? Number(apiVersion.slice(2)) : Number(match[1]);
  }
}
