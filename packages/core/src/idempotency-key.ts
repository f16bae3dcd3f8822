import { type KeyName, parseKeyName } from './ids.ts';

/**
 * The `Idempotency-Key` of a request (draft-ietf-httpapi-idempotency-key-header): a client's word that two requests with
 * the same key are one. Here only the texts; what becomes of such a request is decided in retry.ts and kept.ts.
 */

export const idempotencyKeyHeader = 'idempotency-key';
/** Characters of a key, the quotes not counted. */
export const keyLengthMax = 255;

export type KeyHeader =
  | { readonly kind: 'none' }
  | { readonly kind: 'key'; readonly text: string }
  /** `why` completes "the Idempotency-Key …". */
  | { readonly kind: 'malformed'; readonly why: string };

const malformed = (why: string): KeyHeader => ({ kind: 'malformed', why });

const printable = /^[\x20-\x7e]*$/;
/** Without the quote, the backslash and the comma: two headers joined by a proxy are no key, nor is half a string. */
const bare = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;

/**
 * Reads the values of every `Idempotency-Key` line of a request. A Structured Field string (`"8e03…"`, RFC 9651 §4.2.5) and the
 * bare form in wide use (`8e03…`) name the same key. Parameters behind a string have no meaning and are refused.
 */
export function parseKeyHeader(values: readonly string[]): KeyHeader {
  const [value, second] = values;
  if (value === undefined) return { kind: 'none' };
  if (second !== undefined) return malformed('was sent more than once');
  const text = value.trim();
  const key = text.startsWith('"') ? unquote(text) : bare.test(text) ? text : null;
  if (key === null) return malformed('is neither a quoted string nor a word of visible ASCII characters');
  if (key === '') return malformed('is empty');
  if (key.length > keyLengthMax) return malformed(`is longer than ${keyLengthMax} characters`);
  return { kind: 'key', text: key };
}

/** The content of a Structured Field string, null when it is none. */
function unquote(text: string): string | null {
  if (text.length < 2 || !text.endsWith('"') || !printable.test(text)) return null;
  const inner = text.slice(1, -1);
  const isWhole = /^(?:[^"\\]|\\["\\])*$/.test(inner);
  return isWhole ? inner.replace(/\\(["\\])/g, '$1') : null;
}

/** A request under a key, as the balancer tells the worker. Both are digests: what a client wrote is kept nowhere. */
export interface Keyed {
  /** Names the key within its session. */
  readonly key: KeyName;
  /** Names method, target and body: another print under the same key is another request. */
  readonly print: string;
}

const printPattern = /^[A-Za-z0-9_-]{22}$/;

export const formatKeyed = ({ key, print }: Keyed): string => `${key}.${print}`;

/** What `formatKeyed` has written, or null. */
export function parseKeyed(text: string): Keyed | null {
  const [name = '', print = '', ...more] = text.split('.');
  const key = parseKeyName(name);
  return key !== null && more.length === 0 && printPattern.test(print) ? { key, print } : null;
}
