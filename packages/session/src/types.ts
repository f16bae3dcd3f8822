import type { SessionCookie } from './session-cookie.ts';

/**
 * What an app keeps in a session. Extend it by declaration merging:
 *
 *     declare module 'limpet' {
 *       interface SessionData { cart: Item[] }
 *     }
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by the app
export interface SessionData {}

/** As express-session calls back: nothing or null when it went well. */
export type SessionCallback = (error?: Error | null) => void;

/**
 * The methods of `req.session`. Each takes a callback or returns a promise. They wait until what they did is safe, that
 * is, on every copy. Called after the response head has been sent, those that need a cookie throw LIMPET_HEAD_SENT.
 */
export interface SessionMethods {
  /** The session's id; drawn when first asked for, so a session that stays empty has one too. */
  readonly id: string;
  /** Attributes of the cookie as this response would send it. Changing one sends the cookie again. */
  readonly cookie: SessionCookie;
  /** A new id and an empty session; the old one ends in the same write. `req.session` is a new object afterwards. */
  regenerate(): Promise<void>;
  regenerate(callback: SessionCallback): this;
  /** A new id with the same data; the old id ends in the same write. */
  renew(): Promise<void>;
  renew(callback: SessionCallback): this;
  /** Ends the session now, for the requests still running on it too, and clears the cookie. */
  destroy(): Promise<void>;
  destroy(callback: SessionCallback): this;
  /** Commits now instead of at the end of the request. */
  save(): Promise<void>;
  save(callback: SessionCallback): this;
  /** Takes back what this request changed since the last commit, where no other running request has used it. */
  reload(): Promise<void>;
  reload(callback: SessionCallback): this;
  /** Extends the idle limit. Every request of the session does so by itself. */
  touch(): this;
}

/** `req.session`. */
export type Session = SessionMethods & Partial<SessionData>;
