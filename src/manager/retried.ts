import { ShoalError } from '../model/errors.js';

const attemptsMax = 5; // each reads anew; that many others would have to come first every time

/** Makes a read-then-write anew when its transaction was too late because another one changed what it had read. */
export async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      const collided = error instanceof ShoalError && error.code === 'out-of-sequence';
      if (!collided || count === attemptsMax) throw error;
    }
  }
}
