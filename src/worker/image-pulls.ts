import { ShoalError } from '../model/errors.js';
import type { Engine } from './engine.js';

interface Pull {
  done: Promise<void>;
  abort: AbortController;
  waiting: number;
}

/** Pulls of images: one an image and login, however many tasks wait for it; given up when none waits any more. */
export class ImagePulls {
  private readonly pulls = new Map<string, Pull>();

  constructor(private readonly engine: Engine) {}

  /**
   * Resolves once the image is there; `auth` is what X-Registry-Auth carries, '' nothing. Throws the engine's words, or `unavailable`
   * when `signal` was aborted.
   */
  async pull(image: string, auth: string, signal: AbortSignal): Promise<void> {
    const key = `${image} ${auth}`;
    const pull = this.pulls.get(key) ?? this.begin(key, image, auth);
    pull.waiting += 1;
    let giveUp: () => void = () => {};
    const left = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(new ShoalError('unavailable', `nobody waits for ${image} any more`));
      signal.addEventListener('abort', giveUp, { once: true });
      if (signal.aborted) giveUp();
    });
    try {
      await Promise.race([pull.done, left]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      pull.waiting -= 1;
      if (pull.waiting === 0) {
        pull.abort.abort();
        if (this.pulls.get(key) === pull) this.pulls.delete(key);
      }
    }
  }

  private begin(key: string, image: string, auth: string): Pull {
    const abort = new AbortController();
    const done = this.engine.pull(image, { ...(auth === '' ? {} : { auth }), signal: abort.signal });
    done.catch(() => {}); // those who still wait are told
    const pull = { done, abort, waiting: 0 };
    this.pulls.set(key, pull);
    return pull;
  }
}
