/** Times kept one by one up to this many; of more, a fair sample. */
const keptMax = 65_536;

/** Measured times in milliseconds, in bounded memory. */
export class Samples {
  readonly #kept: number[] = [];
  #count = 0;
  #most = 0;

  add(ms: number): void {
    this.#count += 1;
    this.#most = Math.max(this.#most, ms);
    if (this.#kept.length < keptMax) this.#kept.push(ms);
    else {
      // Vitter's algorithm R: each time so far is kept with the same chance.
      const at = Math.floor(Math.random() * this.#count);
      if (at < keptMax) this.#kept[at] = ms;
    }
  }

  summary(): Times | null {
    if (this.#count === 0) return null;
    const sorted = [...this.#kept].sort((a, b) => a - b);
    const quantile = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
    return { count: this.#count, p50: quantile(0.5), p99: quantile(0.99), max: this.#most };
  }
}

export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}
