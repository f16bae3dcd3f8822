import type { View } from '@limpet/core';
import type { ViewEntry } from './views.ts';

/** Views kept on disk: as supervisor/views.ts. */
const historyMax = 32;

/** The run directory: what is on disk outlives the supervisor. The file of views is replaced whole. */
export class Disk {
  /** The last views that were written, oldest first. */
  views: readonly ViewEntry[] = [];
  term = 0;
  isFull = false;
  /** How long a write with its fsync takes, in milliseconds. */
  delayMs = 0.2;
  readonly #names = new Set<string>();

  /** The newest view, null before the first. */
  get newest(): View | null {
    return this.views.at(-1)?.view ?? null;
  }

  /** False: full, and the file is as before. */
  write(views: readonly ViewEntry[]): boolean {
    if (this.isFull) return false;
    this.views = views.slice(-historyMax);
    for (const { view } of this.views) this.#names.add(nameOf(view));
    return true;
  }

  /** It is, or was, on disk. */
  has(view: View): boolean {
    return this.#names.has(nameOf(view));
  }
}

const nameOf = ({ term, number }: View): string => `${term}.${number}`;
