import type { Death, View } from '@limpet/core';

/** Views kept on disk. */
const historyMax = 50;

/** The run directory: what is on disk outlives the supervisor, and what is only in its cache does not. */
export class Disk {
  /** The newest view file, null before the first. */
  view: View | null = null;
  term = 0;
  /** The last views that were written. */
  history: { readonly view: View; readonly deaths: readonly Death[] }[] = [];
  isFull = false;
  /** How long a write with its fsync takes, in milliseconds. */
  delayMs = 0.2;
  readonly #names = new Set<string>();

  /** False: full. */
  write(view: View, deaths: readonly Death[]): boolean {
    if (this.isFull) return false;
    this.view = view;
    this.history = [...this.history, { view, deaths }].slice(-historyMax);
    this.#names.add(nameOf(view));
    return true;
  }

  has(view: View): boolean {
    return this.#names.has(nameOf(view));
  }
}

const nameOf = ({ term, number }: View): string => `${term}.${number}`;
