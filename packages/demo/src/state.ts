import type { Request } from 'express';
import type { AmountStyle } from './money.ts';
import type { Moved, Seen } from './move.ts';
import type { Summary } from './summary.ts';
import type { Purse } from './transfer.ts';

export interface Preferences {
  readonly theme: 'auto' | 'light' | 'dark';
  readonly amounts: AmountStyle;
  readonly rows: number;
}

export const defaultPreferences: Preferences = { theme: 'auto', amounts: 'point', rows: 20 };

/** Everything the demo keeps in a session. Each attribute is replaced whole, never changed in place. */
export interface Attributes {
  account?: string;
  summary?: Summary;
  purse?: Purse;
  preferences?: Preferences;
  seen?: Seen;
  moved?: Moved;
  /** Of `npm run load`: who this session is, and how often it was counted up. */
  marker?: string;
  counter?: number;
}

type Done = (error?: unknown) => void;
interface Controls {
  regenerate(done: Done): unknown;
  destroy(done: Done): unknown;
}

/** The session that `session()` put on the request. */
export const sessionOf = (req: Request): Attributes => (req as unknown as { session: Attributes }).session;

const controlsOf = (req: Request): Controls => (req as unknown as { session: Controls }).session;

const whenDone = (start: (done: Done) => unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });

/** A new id and an empty session: an id known before signing in must not be the one signed in (session fixation). */
export async function startSession(req: Request): Promise<Attributes> {
  await whenDone((done) => controlsOf(req).regenerate(done));
  return sessionOf(req);
}

/** The session ends here and on its copies. */
export const endSession = (req: Request): Promise<void> => whenDone((done) => controlsOf(req).destroy(done));
