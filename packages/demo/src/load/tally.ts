import type { Finding } from './history.ts';

/** What a run has counted. */
export interface Tally {
  requests: number;
  /** Without any answer. */
  errors: number;
  non2xx: number;
  /** Additions that may have run or not. */
  uncertain: number;
  /** Times a session was answered by another node than before. */
  moved: number;
  lost: number;
  lostSessions: number;
  doubled: number;
  /** Sessions whose last look found what was acknowledged, or its loss. */
  checked: number;
  /** Sessions that were asked, but never answered, or not at the last look: nothing is known of them. */
  unchecked: number;
}

export const newTally = (): Tally => ({
  requests: 0,
  errors: 0,
  non2xx: 0,
  uncertain: 0,
  moved: 0,
  lost: 0,
  lostSessions: 0,
  doubled: 0,
  checked: 0,
  unchecked: 0,
});

/** Adds a session's findings. */
export function countFindings(tally: Tally, findings: readonly Finding[]): void {
  for (const finding of findings) {
    if (finding.kind === 'moved') tally.moved += 1;
    else if (finding.kind === 'doubled') tally.doubled += finding.adds;
    else {
      tally.lost += finding.adds;
      if (finding.session) tally.lostSessions += 1;
    }
  }
}

/**
 * Whether every session that was asked holds what was acknowledged, once and no more. A run that could check nothing has
 * not shown that nothing is lost.
 */
export const isWhole = (tally: Tally): boolean =>
  tally.lost === 0 && tally.lostSessions === 0 && tally.doubled === 0 && tally.unchecked === 0 && tally.checked > 0;
