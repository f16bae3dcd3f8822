/** The published face: what an app imports from `limpet`. Loads without top-level await, so `require('limpet')` works. */
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
