/** How long what was not used of the rates can be saved up, in milliseconds. */
const burstMs = 20;

/** Tokens that come with time. May be overdrawn by the last thing taken, which is then paid off. */
export class Bucket {
  readonly #perMs: number;
  #tokens: number;
  #atMs = 0;

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
    this.#tokens = burstMs * this.#perMs;
  }

  /** Milliseconds until there is something to take; 0: now. */
  waitMs(nowMs: number): number {
    this.#tokens = Math.min(burstMs * this.#perMs, this.#tokens + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    return this.#tokens > 0 ? 0 : -this.#tokens / this.#perMs + 1;
  }

  take(tokens: number): void {
    this.#tokens -= tokens;
  }
}
