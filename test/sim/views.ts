import { compareViews, type Death, type View, type ViewNumber } from '@limpet/core';

/** A view with the deaths it tells of. */
export interface ViewEntry {
  readonly view: View;
  readonly deaths: readonly Death[];
}

/** The views that a supervisor has, oldest first: supervisor/views.ts without its file. */
export class ViewLog {
  readonly #entries: ViewEntry[];

  constructor(entries: readonly ViewEntry[]) {
    this.#entries = [...entries];
  }

  get entries(): readonly ViewEntry[] {
    return this.#entries;
  }

  get newest(): View | null {
    return this.#entries.at(-1)?.view ?? null;
  }

  push(entry: ViewEntry): void {
    this.#entries.push(entry);
  }

  /** A view that a process has and the disk has not. */
  learn(view: View): void {
    const entries = this.#entries;
    const at = entries.findIndex((entry) => compareViews(entry.view, view) >= 0);
    if (at >= 0 && compareViews(entries[at]?.view ?? view, view) === 0) return;
    entries.splice(at < 0 ? entries.length : at, 0, { view, deaths: [] });
  }

  /**
   * What a process that has `seen` a view has missed, none skipped; null when that is more than is kept; one that has
   * seen none gets the newest only.
   */
  missedSince(seen: ViewNumber | null): { kind: 'views'; views: View[]; deaths: Death[] } | null {
    const entries = this.#entries;
    const first = seen === null ? entries.length - 1 : entries.findIndex(({ view }) => compareViews(view, seen) > 0);
    const missed = first < 0 ? [] : entries.slice(first);
    if (seen !== null && first >= 0 && !follows(entries[first]?.view, seen, first)) return null;
    if (!isUnbroken(missed)) return null;
    return { kind: 'views', views: missed.map(({ view }) => view), deaths: missed.flatMap(({ deaths }) => deaths) };
  }
}

/** Whether no view lies between `seen` and the one at `first`: after the last of a term comes the first of another. */
function follows(next: View | undefined, seen: ViewNumber, first: number): boolean {
  return next?.term === seen.term ? next.number === seen.number + 1 : first > 0;
}

const isUnbroken = (entries: readonly ViewEntry[]): boolean =>
  entries.every(({ view }, at) => {
    const before = entries[at - 1]?.view;
    return before === undefined || before.term !== view.term || view.number === before.number + 1;
  });
