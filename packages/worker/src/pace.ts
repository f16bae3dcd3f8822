import { performance } from 'node:perf_hooks';

/** How often it is decided anew whether to pace, in milliseconds. */
export const tuneEveryMs = 500;
/** Requests that take the loop less than this on average are not paced: waiting for a buddy would cost more than it saves. */
export const pacedFromMs = 1;
/** The longest wait of one start, in milliseconds, whatever the requests take. */
export const paceMsMax = 10;
/** A start waits at most so many times what a request takes the loop on average. */
const shareMax = 2;

/**
 * Keeps the handlers of an app that blocks its loop from standing between an answer and its acknowledgement.
 *
 * An answer leaves when its buddy has acknowledged the write, a fraction of a millisecond after the handler is done. A
 * handler that begins in between and blocks makes that answer wait for all of it, although nothing is left to do. So
 * where requests take the loop long, the next one begins only when no fresh answer waits, or after a short while.
 *
 * Invariants: order of arrival; every start happens, at most `paceMsMax` after the one before it.
 */
export class Pace {
  /** How long an answer may hold back the next start; 0: not pacing. */
  #limitMs = 0;
  readonly #queue: (() => void)[] = [];
  /** Answers that wait. One that has waited for `#limitMs` waits for a buddy that is slow itself, and holds nothing back. */
  #held = 0;
  #heldAtMs = 0;
  #started = 0;
  #timer: NodeJS.Timeout | null = null;
  #isDue = false;

  get waiting(): number {
    return this.#queue.length;
  }

  /** Sets the pace by what the loop did since the last call: `activeMs` of work. */
  tune(activeMs: number): void {
    const perRequestMs = this.#started === 0 ? 0 : activeMs / this.#started;
    this.#started = 0;
    this.#limitMs = perRequestMs < pacedFromMs ? 0 : Math.min(shareMax * perRequestMs, paceMsMax);
  }

  /** Begins a request, now or soon. */
  start(begin: () => void): void {
    this.#started += 1;
    if (this.#queue.length === 0 && this.#restMs() <= 0) {
      begin();
      return;
    }
    this.#queue.push(begin);
    this.#arm();
  }

  /** An answer waits for its acknowledgement from now on. Call the result once, when it does not any more. */
  hold(): () => void {
    this.#held += 1;
    this.#heldAtMs = performance.now();
    return () => {
      this.#held -= 1;
      if (this.#held === 0) this.#soon();
    };
  }

  /** How much longer the answers that wait hold back the next start. */
  #restMs(): number {
    if (this.#held === 0 || this.#limitMs === 0) return 0;
    return this.#heldAtMs + this.#limitMs - performance.now();
  }

  /** Whatever is held meanwhile, the first in the queue begins when the limit is over. */
  #arm(): void {
    if (this.#timer !== null || this.#queue.length === 0) return;
    this.#timer = setTimeout(() => this.#next(), this.#limitMs);
  }

  /** One start in each turn of the loop: in between it reads what has been acknowledged. */
  #soon(): void {
    if (this.#isDue || this.#queue.length === 0) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#restMs() <= 0) this.#next();
    });
  }

  #next(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#queue.shift()?.();
    this.#arm();
    this.#soon();
  }
}

/** A pace that follows the loop it is called on. */
export function startPace(): Pace {
  const pace = new Pace();
  let before = performance.eventLoopUtilization();
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    pace.tune(performance.eventLoopUtilization(now, before).active);
    before = now;
  }, tuneEveryMs).unref();
  return pace;
}
