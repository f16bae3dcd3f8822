import { internalPrefix } from '@limpet/core';

/** Header names by what a proxy must do with them, all lower case. */

/** Meant for one connection (RFC 9110 §7.6.1), with the ones old software invented and those the balancer answers itself. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authorization',
]);

export const isHopByHop = (name: string): boolean => hopByHop.has(name);

/** What an app decides by: who asks, from which site, for what, once or twice, and what the body is. */
const protectedNames = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'idempotency-key',
  'if-match',
  'if-none-match',
  'max-forwards',
  'origin',
  'range',
  'referer',
  'sec-fetch-site',
  'transfer-encoding',
  'via',
  'x-real-ip',
]);

/** Fields that a Connection header must not name: a client would remove what the app relies on (hop-by-hop abuse). */
export const isProtected = (name: string): boolean =>
  protectedNames.has(name) || name.startsWith('x-forwarded-') || name.startsWith(internalPrefix);

export const isInternal = (name: string): boolean => name.startsWith(internalPrefix);

/** Fields that say who the client is: set here, believed only from a trusted proxy. */
export const isForwarded = (name: string): boolean =>
  name.startsWith('x-forwarded-') || name === 'forwarded' || name === 'x-real-ip';

/** A name with underscores that CGI-like apps read as one of ours (`X_Forwarded_For`): such a line is dropped. */
export function isDisguised(name: string): boolean {
  if (!name.includes('_')) return false;
  const plain = name.replaceAll('_', '-');
  return isInternal(plain) || isForwarded(plain) || isProtected(plain) || isHopByHop(plain);
}

/** The tokens of a Connection header, lower case. */
export const connectionTokens = (value: string): readonly string[] =>
  value
    .toLowerCase()
    .split(',')
    .map(withoutSpace)
    .filter((token) => token !== '');

/**
 * Without the white space that HTTP allows around a value. Not by trim(), which takes off \v and \xa0 too, where others read a
 * part of the word; and not by a pattern, which would look at 16 KiB of spaces from each of them anew.
 */
export function withoutSpace(value: string): string {
  const isSpace = (at: number): boolean => value[at] === ' ' || value[at] === '\t';
  let from = 0;
  let to = value.length;
  while (from < to && isSpace(from)) from += 1;
  while (from < to && isSpace(to - 1)) to -= 1;
  return value.slice(from, to);
}

/** Whether this is the one coding that is understood. `,chunked` and `gzip, chunked` are read differently by different servers. */
export const isChunked = (coding: string): boolean => withoutSpace(coding).toLowerCase() === 'chunked';
