import type { SessionId } from '@limpet/core';

/** Ids remembered as counted. A user of a forgotten one who comes back once more is counted twice. */
const countedMax = 10_000;

/** Counts the sessions that requests asked for and that no member held: each once, however often its user comes back. */
export class UnheldIds {
  readonly #counted = new Set<SessionId>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  note(id: SessionId): void {
    if (this.#counted.has(id)) return;
    this.#count += 1;
    this.#counted.add(id);
    for (const oldest of this.#counted) {
      if (this.#counted.size <= countedMax) return;
      this.#counted.delete(oldest);
    }
  }
}
