import type { NodeId } from '../ids.ts';

/** How long a drain waits for a node that died to be back in the ring, in milliseconds. */
export const rejoinWaitMs = 10_000;

/** What the ring may do next: one thing at a time (P9, P11). */
export type Move =
  | { readonly kind: 'join'; readonly node: NodeId }
  | { readonly kind: 'drain'; readonly node: NodeId }
  | { readonly kind: 'wait' };

export interface MoveInput {
  /** Ready and outside the ring, in order of arrival. `returning`: it has been a member before. */
  readonly joiners: readonly { readonly node: NodeId; readonly returning: boolean }[];
  /** The ring member that should leave next, and since when. */
  readonly leaver: { readonly node: NodeId; readonly sinceMs: number } | null;
  /** Every session has its copies. */
  readonly settled: boolean;
  /** A member drained before has not ended yet. */
  readonly leaving: boolean;
  /** A node that has been a member is being started again. */
  readonly missing: boolean;
  readonly last: 'join' | 'drain' | null;
  readonly nowMs: number;
}

/**
 * Decides what a stable view does next. Whoever comes back from a death goes first: until then sessions are more
 * crowded than they need be. Otherwise joins and drains take turns, and after `rejoinWaitMs` a drain takes its turn even
 * though some node does nothing but die and return.
 */
export function decideMove({ joiners, leaver, settled, leaving, missing, last, nowMs }: MoveInput): Move {
  const returning = joiners.find((joiner) => joiner.returning);
  const joiner = returning ?? joiners[0];
  const join: Move = joiner === undefined ? { kind: 'wait' } : { kind: 'join', node: joiner.node };
  if (leaver === null || leaving) return join;
  const isOverdue = nowMs - leaver.sinceMs >= rejoinWaitMs;
  if (!isOverdue && (returning !== undefined || missing)) return join;
  if (joiner !== undefined && last === 'drain') return join;
  if (settled) return { kind: 'drain', node: leaver.node };
  // It is the drain's turn: a join now would put off the settled view that it needs.
  return isOverdue ? join : { kind: 'wait' };
}
