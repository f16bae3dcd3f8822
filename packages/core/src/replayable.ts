import { isIdempotent } from './retry.ts';

/**
 * Routes whose requests may be run again after the death of their worker, as an operator declares them: `POST /cart/*`.
 *
 * A method, one blank, a path. The path is compared segment by segment with the path that was sent, query left out, byte for
 * byte and with case. `*` as a segment stands for one that is not empty, `**` as the last segment for any number of them.
 */
export interface ReplayableRoute {
  readonly method: string;
  readonly segments: readonly string[];
  /** Ends with `**`. */
  readonly isOpen: boolean;
}

/** Routes that can be declared. */
export const replayableMax = 100;

const methodPattern = /^[A-Z][A-Z-]{0,31}$/;
const segmentPattern = /^(?:[A-Za-z0-9._~!$&'()+;=:@-]|%[0-9A-Fa-f]{2})*$/;

/** The route spelled by `text`, or what is wrong with it. */
export function parseReplayable(text: string): ReplayableRoute | string {
  const [method = '', path, ...more] = text.trim().split(/ +/);
  if (path === undefined || more.length > 0) return `"${text}" is not a method, one blank and a path`;
  if (!methodPattern.test(method)) return `"${text}" does not begin with a method in capitals`;
  if (isIdempotent(method)) return `"${text}" says nothing: ${method} is run again anyway`;
  if (!path.startsWith('/')) return `"${text}" has a path that does not begin with /`;
  const all = path.slice(1).split('/');
  const isOpen = all.at(-1) === '**';
  const segments = isOpen ? all.slice(0, -1) : all;
  const wrong = segments.find((segment) => segment !== '*' && !segmentPattern.test(segment));
  if (wrong !== undefined) {
    return `"${text}" has the segment "${wrong}": a segment is *, at the end also **, or the characters of a path (no commas)`;
  }
  if (!isPlain(segments))
    return `"${text}" has a segment that servers resolve: . or .., an empty one, or an escaped / or .`;
  return { method, segments, isOpen };
}

/** The routes of a Welcome, whose texts were checked when the options were read; what is none all the same declares nothing. */
export const parseReplayables = (texts: readonly string[]): readonly ReplayableRoute[] =>
  texts.map(parseReplayable).filter((route) => typeof route !== 'string');

/** Whether a request is one that the operator has declared. `target`: as sent, with its query. */
export function isReplayable(routes: readonly ReplayableRoute[], method: string, target: string): boolean {
  if (routes.length === 0) return false;
  const query = target.search(/[?#]/);
  const path = query < 0 ? target : target.slice(0, query);
  if (!path.startsWith('/')) return false;
  const segments = path.slice(1).split('/');
  // `/cart/../transfer` is /transfer for many apps: what they may read in another way is not what was declared.
  if (!isPlain(segments)) return false;
  return routes.some((route) => route.method === method && fits(route, segments));
}

function fits({ segments: wanted, isOpen }: ReplayableRoute, segments: readonly string[]): boolean {
  if (isOpen ? segments.length < wanted.length : segments.length !== wanted.length) return false;
  return wanted.every((one, at) => (one === '*' ? segments[at] !== '' : one === segments[at]));
}

/** No segment that some server resolves away or splits: dots, empty ones (but for a last one), escaped dots and slashes. */
const isPlain = (segments: readonly string[]): boolean =>
  segments.every(
    (segment, at) =>
      segment !== '.' &&
      segment !== '..' &&
      (segment !== '' || at === segments.length - 1) &&
      !/%2e|%2f|%5c|\\/i.test(segment),
  );
