/** The node that answered last, kept in the session. Written when it changes only: looking at a page replicates nothing. */
export interface Seen {
  readonly node: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** How the session came to the node it is on, shown for a while. */
export interface Moved {
  readonly from: string;
  readonly to: string;
  readonly at: number;
  /** When `from` died, null when nothing is known of a death. */
  readonly diedAt: number | null;
}

/** How long a page goes on telling of a move. */
export const moveShownMs = 60_000;

/** The move between the last answer and this one, or null. `diedAt`: when the node that answered last died, if it did. */
export function decideMove(
  seen: Seen,
  earlier: Moved | null,
  node: string,
  now: number,
  diedAt: number | null,
): Moved | null {
  const died = diedAt !== null && diedAt > seen.at ? diedAt : null;
  if (seen.node === node) return died === null ? null : { from: node, to: node, at: now, diedAt: died };
  // The session went home to the restarted node: the death is still the news, not the way back.
  const backHome = earlier !== null && earlier.diedAt !== null && earlier.from === node && !isOver(earlier, now);
  if (died === null && backHome) return { from: node, to: node, at: now, diedAt: earlier.diedAt };
  return { from: seen.node, to: node, at: now, diedAt: died };
}

export const isOver = (moved: Moved, now: number): boolean => now - moved.at > moveShownMs;

/** `n2 died 3 s ago, you are on n4 now`. */
export function formatMove(moved: Moved, now: number): string {
  if (moved.diedAt === null) return `you moved from ${moved.from} to ${moved.to}`;
  const died = `${moved.from} died ${formatAgo(now - moved.diedAt)} ago`;
  return moved.from === moved.to
    ? `${died} and runs again, you are on ${moved.to} now`
    : `${died}, you are on ${moved.to} now`;
}

const formatAgo = (ms: number): string =>
  ms < 60_000 ? `${Math.max(0, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`;
