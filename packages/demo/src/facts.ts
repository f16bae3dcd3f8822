import type { NextFunction, Request, Response } from 'express';
import type { Ledger } from './ledger.ts';
import { decideMove, formatMove, isOver } from './move.ts';
import { diedAt, nodeName, type Place, placeOf } from './place.ts';
import { type Attributes, sessionOf } from './state.ts';
import type { Summary } from './summary.ts';

export type Source = 'session' | 'ledger';

/** What every page and every JSON answer says about itself. */
export interface Facts extends Place {
  /** Measured from the first middleware to here. */
  readonly ms: number;
  readonly source: Source;
  readonly warm: boolean;
  /** `warm: 2 ms, from the session`. */
  readonly told: string;
  /** `n2 died 3 s ago, you are on n4 now`; null when nothing moved lately. */
  readonly moved: string | null;
}

/** Starts the clock that `factsOf` reads. */
export function startClock(_req: Request, res: Response, next: NextFunction): void {
  res.locals.startedAt = performance.now();
  next();
}

const formatMs = (ms: number): string => (ms < 1 ? ms.toFixed(1) : String(Math.round(ms)));

/** The facts of an answer whose data came from `source`. */
export function factsOf(req: Request, res: Response, source: Source): Facts {
  const startedAt: unknown = res.locals.startedAt;
  const ms = typeof startedAt === 'number' ? performance.now() - startedAt : 0;
  const { moved } = sessionOf(req);
  const now = Date.now();
  const warm = source === 'session';
  return {
    ...placeOf(req),
    ms: Math.round(ms * 10) / 10,
    source,
    warm,
    told: `${warm ? 'warm' : 'cold'}: ${formatMs(ms)} ms, from the ${source}`,
    moved: moved && !isOver(moved, now) ? formatMove(moved, now) : null,
  };
}

/** Notes in the session that another node answers now than last time, and what is known of why. */
export function noteMove(req: Request, _res: Response, next: NextFunction): void {
  const session = sessionOf(req);
  if (nodeName !== null && session.account !== undefined) {
    const now = Date.now();
    const seen = session.seen ?? null;
    const moved = seen && decideMove(seen, session.moved ?? null, nodeName, now, diedAt(seen.node, now));
    if (moved) session.moved = moved;
    if (moved || !seen) session.seen = { node: nodeName, at: now };
  }
  next();
}

/** The sums: from the session when they are there, else from the ledger, and then in the session. */
export async function summaryOf(
  session: Attributes,
  account: string,
  ledger: Ledger,
): Promise<{ readonly summary: Summary; readonly source: Source }> {
  const kept = session.summary;
  if (kept) return { summary: kept, source: 'session' };
  const summary = await ledger.summary(account);
  session.summary = summary;
  return { summary, source: 'ledger' };
}
