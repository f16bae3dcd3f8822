import type { Result } from './seed.ts';

/** A seed that broke an invariant, with what a person needs to look into it. */
export interface Failure {
  readonly seed: number;
  readonly what: string;
  readonly views: readonly string[];
  readonly last: readonly string[];
}

/** Sums over many seeds, as they travel from a job to its parent. */
export interface Tally {
  seeds: number;
  counts: Record<string, number>;
  cells: Record<string, number>;
  failures: Failure[];
}

/** Failures kept with their log; more are only counted by their seed. */
const failuresKept = 20;

export const emptyTally = (): Tally => ({ seeds: 0, counts: {}, cells: {}, failures: [] });

export function addResult(tally: Tally, result: Result): void {
  tally.seeds += 1;
  for (const [name, count] of Object.entries(result.counts)) tally.counts[name] = (tally.counts[name] ?? 0) + count;
  for (const [name, count] of result.coverage) tally.cells[name] = (tally.cells[name] ?? 0) + count;
  if (result.failure === null) return;
  const { seed, failure: what } = result;
  const isKept = tally.failures.length < failuresKept;
  tally.failures.push({ seed, what, views: isKept ? result.views : [], last: isKept ? result.last : [] });
}

export function addTally(tally: Tally, other: Tally): void {
  tally.seeds += other.seeds;
  for (const [name, count] of Object.entries(other.counts)) tally.counts[name] = (tally.counts[name] ?? 0) + count;
  for (const [name, count] of Object.entries(other.cells)) tally.cells[name] = (tally.cells[name] ?? 0) + count;
  tally.failures.push(...other.failures);
}
