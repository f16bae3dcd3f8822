const bucketsPerDoubling = 32;
const bucketMax = 1024;
const leastMs = 0.01;

/** Times in buckets about 2 % wide, from 10 µs to hours, in fixed memory. autocannon's own count whole milliseconds. */
export class Latency {
  readonly #buckets = new Float64Array(bucketMax);
  #count = 0;

  add(ms: number): void {
    const bucket = Math.ceil(Math.log2(Math.max(ms, leastMs) / leastMs) * bucketsPerDoubling);
    const index = Math.min(bucketMax - 1, bucket);
    this.#buckets[index] = (this.#buckets[index] ?? 0) + 1;
    this.#count += 1;
  }

  /** The time, in ms, that the share `part` (0…1) of all stayed under; 0 when there were none. */
  quantile(part: number): number {
    let left = Math.ceil(part * this.#count);
    if (left === 0) return 0;
    for (const [bucket, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0) return leastMs * 2 ** (bucket / bucketsPerDoubling);
    }
    return 0;
  }
}
