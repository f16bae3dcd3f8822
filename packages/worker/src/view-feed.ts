import { assert, compareViews, type Death, type View, type ViewNumber } from '@limpet/core';

/** Told of views newer than all before, in order, with the deaths they tell of. */
export type ViewListener = (views: readonly View[], deaths: readonly Death[]) => void;

/** The views this process has seen: the present one, and who waits for the next. */
export class ViewFeed {
  #current: View | null = null;
  readonly #listeners = new Set<ViewListener>();

  get current(): View | null {
    return this.#current;
  }

  /** Views never go back: what is not newer is dropped (a supervisor that came back repeats itself). */
  apply(views: readonly View[], deaths: readonly Death[]): void {
    const fresh: View[] = [];
    for (const view of views) {
      const order = this.#current === null ? 1 : compareViews(view, this.#current);
      if (order === 0) assert(sameContent(view, this.#current), 'one view number names one content');
      if (order <= 0) continue;
      this.#current = view;
      fresh.push(view);
    }
    if (fresh.length === 0) return;
    for (const listener of [...this.#listeners]) listener(fresh, deaths);
  }

  /** Returns what ends it. */
  subscribe(listener: ViewListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  has(number: ViewNumber): boolean {
    return this.#current !== null && compareViews(this.#current, number) >= 0;
  }

  /** True once a view at least as new has come, false when `waitMs` are over. */
  reach(number: ViewNumber, waitMs: number): Promise<boolean> {
    if (this.has(number)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (reached: boolean): void => {
        clearTimeout(timer);
        unsubscribe();
        resolve(reached);
      };
      const timer = setTimeout(() => end(false), waitMs);
      const unsubscribe = this.subscribe(() => {
        if (this.has(number)) end(true);
      });
    });
  }
}

const sameContent = (a: View, b: View | null): boolean => JSON.stringify(a) === JSON.stringify(b);
