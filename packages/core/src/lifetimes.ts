/** How long things of a session are kept: what follows from the options of the cluster. */
export interface Lifetimes {
  /** Idle limit of a session, in milliseconds. */
  readonly idleMs: number;
  /** Longest wait that Limpet may add to one request, in milliseconds. */
  readonly deadlineMs: number;
}

const touchGraceMsMax = 5_000;
const logKeptMsMin = 60_000;

/** How far news of a session's use may lag behind on its copies, and so the grace that a promoted one is given (P14). */
export const touchGraceMs = ({ idleMs }: Lifetimes): number => Math.min(idleMs / 20, touchGraceMsMax);

/** How often that news is sent: what is left of the grace covers its way. */
export const touchEveryMs = (lifetimes: Lifetimes): number => 0.8 * touchGraceMs(lifetimes);

/** Request ids are remembered at least this long: twice the longest deadline (P2). */
export const logKeptMs = ({ deadlineMs }: Lifetimes): number => Math.max(logKeptMsMin, 2 * deadlineMs);

/**
 * When a tombstone is no longer needed: a copy that missed the burial is over its idle limit by then, wherever it turns
 * up, and the log that the tombstone holds is over its time (P13).
 */
export const tombstoneKeptMs = (lifetimes: Lifetimes): number =>
  Math.max(lifetimes.idleMs + 2 * touchGraceMs(lifetimes), logKeptMs(lifetimes));
