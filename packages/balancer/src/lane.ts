import { laneHoldMs, laneMax } from './limits.ts';

/** One at a time: suspects of a worker's death must not meet, or one crash would take several workers (P21). */
export class SerialLane {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * The lane, or null when it did not come free within `ms` or too many wait. Give it back by calling the result.
   */
  acquire(ms: number): Promise<(() => void) | null> {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve(this.#ticket());
    }
    if (ms <= 0 || this.#waiting.length >= laneMax) return Promise.resolve(null);
    return new Promise((resolve) => {
      const turn = () => {
        clearTimeout(timer);
        resolve(this.#ticket());
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        resolve(null);
      }, ms);
      this.#waiting.push(turn);
    });
  }

  #ticket(): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#isTaken = false;
      else next();
    };
  }
}

/** Gives the lane back when the request is done, or when it has had it for long enough. */
export function holdLane(release: () => void): () => void {
  const timer = setTimeout(release, laneHoldMs);
  return () => {
    clearTimeout(timer);
    release();
  };
}
