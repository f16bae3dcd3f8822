/** The published face: what an app imports from `limpet`. Loads without top-level await, so `require('limpet')` works. */

import type { Session } from '@limpet/session';

declare module 'http' {
  interface IncomingMessage {
    /** The session of this request, by the middleware `session()`; undefined once it is destroyed. */
    session: Session;
    /** Its id; one that stays empty has an id too, but no cookie. */
    sessionID: string;
  }
}

export type {
  CookieOptions,
  SameSite,
  Session,
  SessionCallback,
  SessionCookie,
  SessionData,
  SessionMethods,
  SessionMiddleware,
  SessionOptions,
} from '@limpet/session';
export { session } from '@limpet/session';
