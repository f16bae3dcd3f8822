import { welcomeMs } from './limits.ts';

/** Counts the time without a supervisor. A process that never had one ends soon: whoever started it is gone. */
export class Orphanage {
  readonly #onEnd: () => void;
  /** What the last supervisor allowed; 0: for ever. */
  #allowedMs = welcomeMs;
  #timer: NodeJS.Timeout | null = null;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.lost();
  }

  /** A supervisor has welcomed this process. */
  found(allowedMs: number): void {
    this.#allowedMs = allowedMs;
    this.end();
  }

  /** The link to it is gone. */
  lost(): void {
    if (this.#timer !== null || this.#allowedMs === 0) return;
    this.#timer = setTimeout(this.#onEnd, this.#allowedMs);
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
