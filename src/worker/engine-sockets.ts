import { Agent } from 'node:http';
import { inspect } from 'node:util';

/**
 * Keeps connections to the engine open between calls. It is one word to `util.inspect`: docker-modem renders the options of each
 * request in full for a debug line that nobody reads, and the agent in them, with all sockets and their parsers, cost twenty times
 * the call itself.
 */
export class EngineSockets extends Agent {
  constructor() {
    super({ keepAlive: true });
  }

  [inspect.custom](): string {
    return 'EngineSockets';
  }
}
