import type { RequestId } from '@limpet/core';

/** The requests that run in this worker: what a death note names, and what a stop waits for. */
export class Running {
  readonly #counts = new Map<RequestId, number>();
  /** Those whose connection has ended before their handler. */
  readonly #lingering = new Map<RequestId, number>();
  #size = 0;
  readonly #waiting = new Set<() => void>();

  get size(): number {
    return this.#size;
  }

  /** What may end the worker: also handlers that nobody waits for any more. */
  list(): readonly RequestId[] {
    return [...new Set([...this.#counts.keys(), ...this.#lingering.keys()])];
  }

  /** Two attempts of one request may overlap here: the first gave up on the connection, not on the handler. */
  add(request: RequestId): void {
    this.#size++;
    this.#counts.set(request, (this.#counts.get(request) ?? 0) + 1);
  }

  /** Whether another attempt of the request runs here too. */
  overlaps(request: RequestId): boolean {
    return (this.#counts.get(request) ?? 0) > 1;
  }

  remove(request: RequestId): void {
    const count = this.#counts.get(request);
    if (count === undefined) return;
    this.#size--;
    if (count > 1) this.#counts.set(request, count - 1);
    else this.#counts.delete(request);
    if (this.#size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** Its connection has ended; its handler may still be at work until the function returned is called. */
  linger(request: RequestId): () => void {
    this.#lingering.set(request, (this.#lingering.get(request) ?? 0) + 1);
    return () => {
      const count = this.#lingering.get(request) ?? 0;
      if (count > 1) this.#lingering.set(request, count - 1);
      else this.#lingering.delete(request);
    };
  }

  /** Resolves when nothing runs, or `waitMs` are over. */
  idle(waitMs: number): Promise<void> {
    if (this.#size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, waitMs);
      this.#waiting.add(end);
    });
  }
}
