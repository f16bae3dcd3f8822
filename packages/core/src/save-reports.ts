/**
 * How long a worker may write its sessions to disk at a full stop, in milliseconds. Higher: more of very many sessions are
 * kept on a slow disk; the stop takes longer.
 */
export const saveMsMax = 5_000;

/** One side of a member has written what it holds to the run directory. */
export interface SaveReport {
  /** Sessions saved that this member is primary of, tombstones left out. */
  readonly sessions: number;
  /** The same of which another member is primary, by that member. */
  readonly copies: { readonly [node: string]: number };
  /** Sessions this member is primary of that could not be saved, and why; 0 and null when all were. */
  readonly unsaved: number;
  readonly why: string | null;
}

/** A keeper has taken in what the saved files hold for it. The counts are of sessions it is primary of, so that they add up. */
export interface RestoreReport {
  readonly sessions: number;
  readonly tombstones: number;
  /** Over their idle or absolute limit by now. */
  readonly expired: number;
  /** Signed with a key that this cluster does not have any more. */
  readonly unverified: number;
  /** Files in which something could not be read. */
  readonly damaged: readonly { readonly file: string; readonly why: string; readonly records: number }[];
}
