import { ShoalError } from '../model/errors.js';
import type { Engine } from './engine.js';

interface Pull {
  done: Promise<void>;
  abort: AbortController;
  waiting: number;
}

/** Pulls of images: one an image, however many tasks wait for it; given up when none waits any more. */
export class ImagePulls {
  private readonly pulls = new Map<string, Pull>();

  constructor(private readonly engine: Engine) {}

  /** Resolves once the image is there. Throws the engine's words, or `unavailable` when `signal` was aborted. */
  async pull(image: string, signal: AbortSignal): Promise<void> {
    const pull = this.pulls.get(image) ?? this.begin(image);
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
        if (this.pulls.get(image) === pull) this.pulls.delete(image);
      }
    }
  }

  private begin(image: string): Pull {
    const abort = new AbortController();
    const done = this.engine.pull(image, { signal: abort.signal });
    done.catch(() => {}); // those who still wait are told
    const pull = { done, abort, waiting: 0 };
    this.pulls.set(image, pull);
    return pull;
  }
}
