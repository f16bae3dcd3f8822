import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { outcomeHeader, type RequestId, readCookie, type SessionId } from '@limpet/core';
import type { Participant, RequestContext } from './context.ts';
import type { Engine, Held } from './engine.ts';
import { checkOptions, type SessionOptions } from './options.ts';
import { type Announcement, RequestSession } from './request-session.ts';
import { type HeadAddition, onHead } from './response-head.ts';
import { ResponseCookie } from './session-cookie.ts';
import { cookieNameDefault, currentRuntime, drawRequestId, standaloneEngine } from './standalone.ts';
import type { Pending } from './verdict.ts';

/** As Connect, Express and their kin call a middleware. */
export type SessionMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** How long a request whose client has gone may still change its session before it counts as over, in milliseconds. */
const lingerMs = 30_000;

/** Marks a request that has met `session()`: mounting it twice is harmless. A WeakSet would cost the collector far more. */
const met = Symbol('limpet.session');

/**
 * Gives each request `req.session` and `req.sessionID`. What a handler changes there is committed when the response
 * leaves. Under `limpet start` the session is copied to another node before a byte of the response goes out; alone
 * (`node app.js`, a unit test) it lives in this process's memory. Throws LIMPET_SESSION_OPTION for options it does not know.
 */
export function session(options: SessionOptions = {}): SessionMiddleware {
  checkOptions(options);
  currentRuntime();
  return (req, res, next) => {
    if (met in req) return next();
    Object.assign(req, { [met]: true });
    const exchange = enter(req, res, options);
    const { engine, request, presented, context } = exchange;
    if (presented === null) return begin(exchange, null, next);
    const from = performance.now();
    const opened = engine.open(presented, request, context?.waitLeftMs);
    if (!(opened instanceof Promise)) return begin(exchange, opened, next);
    const waited = (): void => {
      if (context !== null) context.waitLeftMs -= performance.now() - from;
    };
    opened.then(
      (held) => {
        waited();
        // The client has left: nothing of its request has run, and nothing need.
        if (context?.isOver) return;
        begin(exchange, held, next);
      },
      (error: unknown) => {
        waited();
        if (context?.isOver) return;
        attach(exchange, null).fail(error);
        next(error);
      },
    );
  };
}

/** One request and where its session comes from. */
interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly engine: Engine;
  readonly request: RequestId;
  /** The id that the client sent, genuine but perhaps of no session. */
  readonly presented: SessionId | null;
  /** Null when no gate holds the response: commits happen here then. */
  readonly context: RequestContext | null;
  readonly cookieName: string;
  readonly headerName: string | null;
  readonly options: SessionOptions;
  readonly secure: boolean | 'auto';
}

function enter(req: IncomingMessage, res: ServerResponse, options: SessionOptions): Exchange {
  const runtime = currentRuntime();
  const context = runtime?.contextOf(req) ?? null;
  const cookieName = options.name ?? runtime?.cookieName ?? cookieNameDefault;
  const headerName = (options.header === undefined ? runtime?.headerName : options.header) ?? null;
  const secure = options.cookie?.secure ?? runtime?.secureCookie ?? 'auto';
  const shared = { req, res, options, cookieName, headerName, secure };
  if (runtime !== null && context !== null)
    return { ...shared, engine: runtime.engine, request: context.request, presented: context.session, context };
  const engine = standaloneEngine();
  const presented = findId(req, engine, cookieName, headerName);
  return { ...shared, engine, request: drawRequestId(), presented, context: null };
}

/** The first genuine id in the header, else in the cookies. */
function findId(req: IncomingMessage, engine: Engine, cookieName: string, headerName: string | null): SessionId | null {
  const inHeader = headerName === null ? undefined : req.headers[headerName.toLowerCase()];
  const texts = [...(typeof inHeader === 'string' ? [inHeader] : []), ...readCookie(req.headers.cookie, cookieName)];
  for (const text of texts) {
    const id = engine.parse(text);
    if (id !== null) return id;
  }
  return null;
}

function begin(exchange: Exchange, held: Held | null, next: () => void): void {
  if (held !== null) exchange.engine.touch(held);
  attach(exchange, held);
  next();
}

function attach(exchange: Exchange, held: Held | null): RequestSession {
  const { req, res, engine, request, presented, context, options, secure } = exchange;
  const own = context ?? { request, keyed: null };
  const requestSession = new RequestSession(engine, own, presented, held, {
    isHeadSent: () => res.headersSent,
    makeCookie: () => new ResponseCookie({ ...options.cookie, secure }),
    show: (shown) => {
      Object.assign(req, { session: shown });
    },
  });
  Object.defineProperty(req, 'sessionID', { configurable: true, enumerable: true, get: () => requestSession.id });
  const ending = endWith(res, requestSession);
  if (context !== null) {
    context.participant = {
      reach: (answer) => requestSession.reach(answer),
      delivered: () => requestSession.delivered(),
      end: ending,
      held: () => requestSession.held(),
    };
    onHead(res, () => {
      requestSession.assertCommittable();
      return describeHead(exchange, requestSession);
    });
    return requestSession;
  }
  onHead(res, (status) => commitHead(exchange, requestSession, status));
  res.once('close', () => ending(() => {}));
  return requestSession;
}

/** Alone, the commit is made where the head is written: everything is in this process, so every verdict is there at once. */
function commitHead(exchange: Exchange, requestSession: RequestSession, status: number): HeadAddition {
  requestSession.assertCommittable();
  const head = describeHead(exchange, requestSession);
  const verdict: Pending = requestSession.reach(null);
  if (verdict instanceof Promise || verdict.kind !== 'gone' || status >= 400) return head;
  return { setCookie: null, headers: [[outcomeHeader, 'gone']], status: 409 };
}

function describeHead(exchange: Exchange, requestSession: RequestSession): HeadAddition {
  const used = requestSession.usedCookie;
  const isRolling = exchange.options.rolling === true || (used !== null && ResponseCookie.isChanged(used));
  const announcement = requestSession.announce(isRolling);
  return {
    setCookie: setCookieLine(exchange, requestSession, announcement),
    headers:
      announcement.kind === 'give' && exchange.headerName !== null ? [[exchange.headerName, announcement.id]] : [],
    status: null,
  };
}

function setCookieLine(exchange: Exchange, requestSession: RequestSession, announcement: Announcement): string | null {
  const { req, cookieName } = exchange;
  if (announcement.kind === 'keep') return null;
  const cookie = requestSession.cookie;
  if (announcement.kind === 'give') return ResponseCookie.give(cookie, cookieName, announcement.id, isSecure(req));
  const hasCookie = readCookie(req.headers.cookie, cookieName).length > 0;
  return hasCookie ? ResponseCookie.take(cookie, cookieName, isSecure(req)) : null;
}

/** Over TLS to this server, or to the balancer, which sets X-Forwarded-Proto and lets no client's through. */
function isSecure(req: IncomingMessage): boolean {
  if ((req.socket as Partial<TLSSocket> | undefined)?.encrypted) return true;
  const forwarded = req.headers['x-forwarded-proto'];
  return typeof forwarded === 'string' && forwarded.split(',')[0]?.trim().toLowerCase() === 'https';
}

/**
 * What to call when the connection is done with the request. A handler still at work then, its client gone, keeps its
 * session until it ends the response, or for a while.
 */
function endWith(res: ServerResponse, requestSession: RequestSession): Participant['end'] {
  let linger: NodeJS.Timeout | null = null;
  let finish = (): void => requestSession.end();
  const end = res.end;
  res.end = function (this: ServerResponse, ...args: unknown[]) {
    if (!this.writableEnded) requestSession.commitLast();
    const result = Reflect.apply(end, this, args);
    if (linger !== null) {
      clearTimeout(linger);
      finish();
    }
    return result;
  } as typeof res.end;
  return (over) => {
    if (linger !== null) return;
    finish = () => {
      requestSession.end();
      over();
    };
    if (res.writableEnded) return finish();
    requestSession.commitRest();
    linger = setTimeout(() => finish(), lingerMs).unref();
  };
}
