import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync } from 'node:fs';
import { compareViews, type Death, type View, type ViewNumber } from '@limpet/core';
import { reasonOf, replaceFile } from './files.ts';

/** Whoever has missed more views than this has to join anew (PROTOCOL P5). */
const historyMax = 1_000;
/** So many of them are on disk: what a process may have missed in the moment in which a supervisor died. */
export const diskHistoryMax = 32;
const format = 'limpet views 1';

export interface Missed {
  readonly views: readonly View[];
  readonly deaths: readonly Death[];
}

interface Entry {
  readonly view: View;
  readonly deaths: readonly Death[];
  /** As it stands on disk. */
  readonly line: string;
}

/** What the run directory says of the supervisors before this one. */
type Content = { readonly term: number; readonly entries: readonly Entry[] };

/**
 * The views of this cluster: the last of them on disk before anyone sees it, the last 1,000 in memory. The file also holds the
 * highest term that a supervisor has taken. It is replaced whole, and carries a checksum: half a file is none.
 */
export class Views {
  readonly #path: string;
  #history: Entry[] = [];
  #term = 0;
  /** Why the file could not be used, null when it could or there was none. */
  readonly damage: string | null;

  /** Reads what is there. A damaged file is as good as none to a cluster whose processes have the views. */
  constructor(path: string) {
    this.#path = path;
    const content = readViews(path);
    this.damage = typeof content === 'string' ? content : null;
    if (content === null || typeof content === 'string') return;
    this.#term = content.term;
    this.#history = [...content.entries];
  }

  get newest(): View | null {
    return this.#history.at(-1)?.view ?? null;
  }

  /** The highest term taken so far, by this supervisor or one before. */
  get term(): number {
    return this.#term;
  }

  /**
   * Takes a term above every other one, on disk, so that no two supervisors ever give out the same view number. A damaged
   * file is set aside. Throws when it cannot be written: then nothing has been changed.
   */
  takeTerm(above: number, nowMs: number): number {
    // What a damaged file said is not known. Counted terms never come near the seconds since 1970.
    const lowest = this.damage === null ? 0 : Math.floor(nowMs / 1_000);
    const term = Math.max(this.#term, above, lowest) + 1;
    if (this.damage !== null && statSync(this.#path).isFile()) renameSync(this.#path, `${this.#path}.damaged`);
    this.#write(this.#history, term);
    this.#term = term;
    return term;
  }

  /** Nobody has seen the views before any more: what is on disk is of no use, only its term. */
  forget(): void {
    this.#history = [];
  }

  /** Takes in a view that a process has and the disk has not. */
  learn(view: View): void {
    const at = this.#history.findIndex((entry) => compareViews(entry.view, view) >= 0);
    const known = at >= 0 && compareViews(this.#history[at]?.view ?? view, view) === 0;
    if (known) return;
    this.#history.splice(at < 0 ? this.#history.length : at, 0, entryOf(view, []));
  }

  /** Writes the view to disk; gives the milliseconds that took. Only then may it be sent to anyone. */
  persist(view: View, deaths: readonly Death[]): number {
    const begin = performance.now();
    this.#history.push(entryOf(view, deaths));
    if (this.#history.length > historyMax) this.#history.shift();
    this.#term = Math.max(this.#term, view.term);
    this.#write(this.#history, this.#term);
    return performance.now() - begin;
  }

  #write(history: readonly Entry[], term: number): void {
    const body = history
      .slice(-diskHistoryMax)
      .map(({ line }) => `${line}\n`)
      .join('');
    const head = { format, term, sha256: checksum(term, body) };
    replaceFile(this.#path, `${JSON.stringify(head)}\n${body}`, true);
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
    if (!this.#follows(first, seen)) return null;
    const missed = this.#history.slice(first);
    // What the disk had no room for, and a process then told of in part, leaves a hole (P5: none is ever skipped).
    if (!isUnbroken(missed)) return null;
    return { views: missed.map(({ view }) => view), deaths: missed.flatMap(({ deaths }) => deaths) };
  }

  /** Whether no view lies between `seen` and the one at `first`: after the last of a term comes the first of another. */
  #follows(first: number, seen: ViewNumber): boolean {
    const next = this.#history[first]?.view;
    if (next === undefined) return false;
    if (next.term === seen.term) return next.number === seen.number + 1;
    // What is known of the terms before ends at or below `seen`; of this one everything is known.
    return first > 0;
  }
}

const isUnbroken = (entries: readonly Entry[]): boolean =>
  entries.every(({ view }, at) => {
    const before = entries[at - 1]?.view;
    return before === undefined || before.term !== view.term || view.number === before.number + 1;
  });

const entryOf = (view: View, deaths: readonly Death[]): Entry => ({
  view,
  deaths,
  line: JSON.stringify({ view, deaths }),
});

const checksum = (term: number, body: string): string => createHash('sha256').update(`${term}\n${body}`).digest('hex');

/** The file's content; null when there is none, a reason when it cannot be used. */
function readViews(path: string): Content | string | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : reasonOf(error);
  }
  try {
    const end = text.indexOf('\n');
    const { format: found, term, sha256 } = JSON.parse(text.slice(0, end)) as { [key: string]: unknown };
    if (found !== format) return `its format is ${String(found)}, not ${format}`;
    const body = text.slice(end + 1);
    if (typeof term !== 'number' || sha256 !== checksum(term, body)) return 'its checksum is wrong';
    // The checksum says that these bytes are our own.
    const lines = body.split('\n').slice(0, -1);
    return { term, entries: lines.map((line) => ({ ...(JSON.parse(line) as Omit<Entry, 'line'>), line })) };
  } catch (error) {
    return reasonOf(error);
  }
}
