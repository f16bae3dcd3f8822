/**
 * Values in the order in which they came, each once. Taking the first costs the same however many were taken before: a
 * Set looked at from its beginning walks over the places of all of them.
 */
export class Queue<T> {
  readonly #waiting = new Set<T>();
  /** Goes on behind what it has given; what comes later is behind it. */
  #walk: Iterator<T> | null = null;

  get size(): number {
    return this.#waiting.size;
  }

  has(value: T): boolean {
    return this.#waiting.has(value);
  }

  /** Behind all others; one that waits already keeps its place. */
  add(value: T): void {
    this.#waiting.add(value);
  }

  delete(value: T): void {
    this.#waiting.delete(value);
  }

  clear(): void {
    this.#waiting.clear();
    this.#walk = null;
  }

  /** Takes the first one out; undefined when there is none. */
  take(): T | undefined {
    if (this.#waiting.size === 0) return undefined;
    this.#walk ??= this.#waiting.values();
    let next = this.#walk.next();
    if (next.done === true) {
      // It had come to the end before what waits now was added.
      this.#walk = this.#waiting.values();
      next = this.#walk.next();
    }
    if (next.done === true) return undefined;
    this.#waiting.delete(next.value);
    return next.value;
  }
}
