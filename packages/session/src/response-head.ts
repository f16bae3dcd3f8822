import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** What is added to a response head at the moment it is written. */
export interface HeadAddition {
  /** A `Set-Cookie` line, next to those of the app. */
  readonly setCookie: string | null;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Replaces the status, null: the app's own. */
  readonly status: number | null;
}

type HeadersArgument = OutgoingHttpHeaders | readonly unknown[] | undefined;

const isSetCookie = (name: unknown): boolean => typeof name === 'string' && name.toLowerCase() === 'set-cookie';

/**
 * Calls `decide` once, when the head is about to be written, whichever way the app does it: `end`, `write`,
 * `flushHeaders` and `pipe` all come by `writeHead`. When `decide` throws, the next head asks again, so that an error page
 * can follow.
 */
export function onHead(res: ServerResponse, decide: (status: number) => HeadAddition): void {
  const original = res.writeHead;
  let isDecided = false;
  const writeHead = function (this: ServerResponse, status: number, ...rest: unknown[]): ServerResponse {
    const pass = (code: number, args: unknown[]): ServerResponse =>
      Reflect.apply(original, this, [code, ...args]) as ServerResponse;
    if (isDecided || this.headersSent) return pass(status, rest);
    const addition = decide(status);
    isDecided = true;
    const reason = typeof rest[0] === 'string' ? [rest[0]] : [];
    const given = (typeof rest[0] === 'string' ? rest[1] : (rest[0] ?? rest[1])) as HeadersArgument;
    for (const [name, value] of addition.headers) this.setHeader(name, value);
    const headers = addition.setCookie === null ? given : withCookie(this, given, addition.setCookie);
    const args = headers === undefined || headers === null ? [] : [headers];
    if (addition.status === null) return pass(status, [...reason, ...args]);
    return pass(addition.status, args);
  };
  res.writeHead = writeHead as typeof res.writeHead;
}

/** The headers to pass on, with the cookie in them, or in the response when they name none. */
function withCookie(res: ServerResponse, given: HeadersArgument, line: string): HeadersArgument {
  if (Array.isArray(given)) return withCookieInList(res, flatten(given), line);
  const entries = Object.entries(given ?? {});
  const own = entries.find(([name]) => isSetCookie(name));
  if (own === undefined) {
    res.appendHeader('Set-Cookie', line);
    return given;
  }
  const [name, value] = own;
  const lines = Array.isArray(value) ? value : [String(value)];
  return { ...(given as OutgoingHttpHeaders), [name]: [...lines, line] };
}

/** Headers that writeHead is given replace those set before of the same name: join whichever the app's cookies are in. */
function withCookieInList(res: ServerResponse, list: readonly unknown[], line: string): readonly unknown[] {
  const hasOwn = list.some((name, index) => index % 2 === 0 && isSetCookie(name));
  if (hasOwn || !res.hasHeader('set-cookie')) return [...list, 'Set-Cookie', line];
  res.appendHeader('Set-Cookie', line);
  return list;
}

/** Both raw forms as one: `[name, value, …]` and `[[name, value], …]`. */
const flatten = (list: readonly unknown[]): readonly unknown[] => (Array.isArray(list[0]) ? list.flat(1) : list);
