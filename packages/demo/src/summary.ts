import type { Entry } from './ledger-lines.ts';

export interface CategorySum {
  readonly category: string;
  readonly count: number;
  readonly cents: number;
}

/** What the Overview costs a slow query to find, and what the session keeps of it. */
export interface Summary {
  readonly entries: number;
  readonly balanceCents: number;
  /** Largest first. */
  readonly categories: readonly CategorySum[];
  /** Newest first, at most `recentMax`. */
  readonly recent: readonly Entry[];
}

/** Bounds what a session keeps of the ledger: 40 entries are about 3 KB. */
export const recentMax = 40;

/** Adds the ledger up. */
export function summarise(entries: readonly Entry[]): Summary {
  const sums = new Map<string, CategorySum>();
  for (const { category, cents } of entries) {
    const sum = sums.get(category);
    sums.set(category, { category, count: (sum?.count ?? 0) + 1, cents: (sum?.cents ?? 0) + cents });
  }
  return {
    entries: entries.length,
    balanceCents: entries.reduce((total, entry) => total + entry.cents, 0),
    categories: [...sums.values()].sort((a, b) => Math.abs(b.cents) - Math.abs(a.cents)),
    recent: entries.slice(-recentMax).reverse(),
  };
}
