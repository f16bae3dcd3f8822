import { compareViews, type Death, type View, type ViewNumber } from '@limpet/core';
import { readJson, replaceFile } from './files.ts';

/** Whoever has missed more views than this has to join anew (PROTOCOL P5). */
const historyMax = 1_000;

export interface Missed {
  readonly views: readonly View[];
  readonly deaths: readonly Death[];
}

interface Entry {
  readonly view: View;
  readonly deaths: readonly Death[];
}

/** The views of this life of the supervisor: the newest on disk before anyone sees it, the last 1,000 in memory. */
export class Views {
  readonly #path: string;
  readonly #history: Entry[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  get newest(): View | null {
    return this.#history.at(-1)?.view ?? null;
  }

  /** The term of the last supervisor in this run directory, 0 when there was none. */
  lastTerm(): number {
    const content = readJson(this.#path);
    const term = typeof content === 'object' && content !== null ? (content as Partial<View>).term : undefined;
    return typeof term === 'number' && Number.isSafeInteger(term) && term > 0 ? term : 0;
  }

  /** Writes the view to disk; gives the milliseconds that took. Only then may it be sent to anyone. */
  persist(view: View, deaths: readonly Death[]): number {
    const begin = performance.now();
    this.#history.push({ view, deaths });
    if (this.#history.length > historyMax) this.#history.shift();
    replaceFile(this.#path, `${JSON.stringify(view)}\n`, true);
    return performance.now() - begin;
  }

  /**
   * What a process that has `seen` a view has missed; null when that is more than is kept. A process that has seen
   * none holds nothing that older views could concern: it gets the newest only.
   */
  missedSince(seen: ViewNumber | null): Missed | null {
    const newest = this.#history.at(-1);
    if (newest === undefined) return { views: [], deaths: [] };
    if (seen === null) return { views: [newest.view], deaths: [] };
    const first = this.#history.findIndex(({ view }) => compareViews(view, seen) > 0);
    if (first < 0) return { views: [], deaths: [] };
    const oldest = this.#history[0]?.view;
    const follows = oldest?.number === 1 || (oldest?.term === seen.term && oldest.number === seen.number + 1);
    if (first === 0 && !follows) return null;
    const missed = this.#history.slice(first);
    return { views: missed.map(({ view }) => view), deaths: missed.flatMap(({ deaths }) => deaths) };
  }
}
