/** Delays between starts, in milliseconds; the last one repeats. */
const delaysMs = [0, 250, 500, 1_000, 2_000, 4_000, 5_000] as const;
/** Whoever served at least this long is started again at once. */
export const longLifeMs = 5_000;
/** Starts of a process that has never been ready, before it is given up. */
export const startsMax = 5;
/** And the time they may take together. */
export const startsWithinMs = 30_000;

/** What is known of a process when it has just died. */
export interface History {
  /** It, or an earlier incarnation, has been ready. */
  readonly everReady: boolean;
  /** Starts up to now. */
  readonly starts: number;
  readonly sinceFirstStartMs: number;
  /** Lives in a row that ended within `longLifeMs` of being ready, this one included. */
  readonly shortLives: number;
}

export type Restart = { readonly kind: 'start'; readonly delayMs: number } | { readonly kind: 'giveUp' };

/**
 * Whether and when to start a dead process again. One that has worked before is never given up (what it needs may be
 * away for a while); one that never has is given up soon, because its program is wrong.
 */
export function decideRestart(history: History): Restart {
  if (history.everReady) return { kind: 'start', delayMs: delayAt(history.shortLives - 1) };
  if (history.starts >= startsMax || history.sinceFirstStartMs >= startsWithinMs) return { kind: 'giveUp' };
  return { kind: 'start', delayMs: delayAt(history.starts) };
}

const delayAt = (index: number): number => delaysMs[Math.min(Math.max(index, 0), delaysMs.length - 1)] ?? 5_000;
