/** How long what was not used of the rates can be saved up, in milliseconds. */
const burstMs = 20;

/**
 * Tokens that come with time. May be overdrawn by the last thing taken, which is then paid off. Once empty, nothing can
 * be taken before half a burst has come: what is sent one at a time is also written, read and answered one at a time, and
 * wakes two processes for each.
 */
export class Bucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #isDry = false;
  #atMs = 0;

  constructor(perSecond: number) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burstMs * this.#perMs;
    this.#tokens = this.#burst;
  }

  /** Milliseconds until there is something to take; 0: now. `share` of the rate comes, above 0 and at most 1. */
  waitMs(nowMs: number, share = 1): number {
    const perMs = share * this.#perMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, nowMs - this.#atMs) * perMs);
    this.#atMs = nowMs;
    const wanted = this.#isDry ? this.#burst / 2 : 0;
    if (this.#tokens <= wanted) return (wanted - this.#tokens) / perMs + 1;
    this.#isDry = false;
    return 0;
  }

  take(tokens: number): void {
    this.#tokens -= tokens;
    if (this.#tokens <= 0) this.#isDry = true;
  }
}
