import { ShoalError } from '../model/errors.js';
import type { Engine } from './engine.js';

/** An engine for as long as the lease lasts: `end` gives up every call in flight, and later ones never reach the engine. */
export function leaseOf(engine: Engine): { engine: Engine; end(): void } {
  let ended = false;
  const leased = new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) =>
        ended ? Promise.reject(new ShoalError('unavailable', 'the agent has stopped')) : member.apply(target, args);
    },
  });
  return {
    engine: leased,
    end() {
      ended = true;
      engine.reset();
    },
  };
}
