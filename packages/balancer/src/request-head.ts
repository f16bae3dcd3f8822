import { type ErrorCode, idempotencyKeyHeader, isSafe, parseKeyHeader } from '@limpet/core';
import {
  connectionTokens,
  isChunked,
  isDisguised,
  isForwarded,
  isHopByHop,
  isInternal,
  isProtected,
} from './fields.ts';
import { type Claimed, forwardedLines, type Trust } from './forwarded.ts';
import { headerLinesMax, targetBytesMax } from './limits.ts';
import { isHost, parseTarget } from './target.ts';

/** What a head is built from: the fields of an IncomingMessage that are read, and nothing parsed by anyone else. */
export interface RawHead {
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
  readonly address: string;
  /** Came over TLS. */
  readonly isSecure: boolean;
}

/** How the body is framed: none, a length, or chunks. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

/** A request as it goes upstream, but for the internal headers and the framing line, which each attempt adds. */
export interface RequestHead {
  readonly kind: 'head';
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** Alternating name and value, Host first; without framing, hop-by-hop and internal fields. */
  readonly lines: readonly string[];
  readonly framing: Framing;
  readonly cookie: string | undefined;
  readonly sessionHeader: string | undefined;
  readonly accept: string;
  /** The Idempotency-Key; null without one, and for methods that change nothing. */
  readonly key: string | null;
  /** Lower-case protocol of an Upgrade that Connection confirms. */
  readonly upgrade: string | null;
  /** The client wants the connection to end with the answer. Node's parser does not see it in "close\t". */
  readonly isLast: boolean;
}

/** A request that goes no further. `options`: one about the server itself, or whose last hop is here; answered here. */
export type Refused =
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly what: string }
  | { readonly kind: 'options' };

export interface HeadOptions {
  /** The header that may carry a session id, lower case. */
  readonly headerName: string | null;
  readonly trust: Trust;
  /** This cluster's name in Via. */
  readonly pseudonym: string;
}

const refused = (code: ErrorCode, what = ''): Refused => ({ kind: 'refused', code, what });
const bad = (what: string): Refused => refused('LIMPET_BAD_REQUEST', what);

interface Seen {
  hosts: string[];
  lengths: string[];
  codings: string[];
  connection: string[];
  upgrade: string | null;
  cookies: string[];
  sessionHeader: string | undefined;
  accept: string;
  keys: string[];
  via: string[];
  forwards: string[];
  claimed: { for: string | undefined; proto: string | undefined; host: string | undefined };
}

/**
 * Builds the upstream head from scratch out of the raw lines: nothing passes through unread, and every field the parser
 * and a worker could understand differently is refused or written anew (RFC 9110 §7.6, RFC 9112 §3, §6, §11.2).
 */
export function buildRequestHead(raw: RawHead, options: HeadOptions): RequestHead | Refused {
  if (raw.rawHeaders.length >= 2 * headerLinesMax) return refused('LIMPET_HEADERS_TOO_LARGE');
  if (raw.url.length > targetBytesMax) return refused('LIMPET_TARGET_TOO_LONG');
  // llhttp takes HTTP/0.9 and HTTP/2.0 request lines for requests: they have no framing that could be trusted.
  if (raw.httpVersion !== '1.1' && raw.httpVersion !== '1.0') return refused('LIMPET_HTTP_VERSION');
  // TRACE shows a page's script the cookies it may not read; CONNECT would make this an open tunnel.
  if (raw.method === 'CONNECT' || raw.method === 'TRACE') return refused('LIMPET_METHOD', raw.method);
  const target = parseTarget(raw.method, raw.url);
  if (target.kind === 'bad') return bad(target.why);

  const seen = readFields(raw.rawHeaders, options.headerName);
  const named = seen.connection.flatMap(connectionTokens);
  if (named.some((name) => isProtected(name) || name === options.headerName))
    return bad('Connection names a field that is not its own');
  const host = decideHost(raw.httpVersion, seen.hosts, target.kind === 'origin' ? target.authority : null);
  if (host === null) return bad('exactly one valid Host is needed');
  const framing = decideFraming(raw.httpVersion, seen);
  if (typeof framing === 'string') return bad(framing);
  // Not 400: the request is sound, and whoever runs the app must hear that it sends to itself (RFC 9110 §7.6.3).
  if (seen.via.some((via) => isNamedIn(via, options.pseudonym))) return refused('LIMPET_LOOP');
  const forwards = raw.method === 'OPTIONS' ? decideForwards(seen.forwards) : null;
  if (forwards === 'malformed') return bad('the Max-Forwards');
  if (target.kind === 'asterisk' || forwards === 0) return { kind: 'options' };
  const key = isSafe(raw.method) ? null : parseKeyHeader(seen.keys);
  if (key?.kind === 'malformed') return refused('LIMPET_KEY_MALFORMED', key.why);

  return {
    kind: 'head',
    method: raw.method,
    path: target.path,
    host,
    lines: buildLines(raw, host, seen, new Set(named), forwards, options),
    framing,
    cookie: seen.cookies.length > 0 ? seen.cookies.join('; ') : undefined,
    sessionHeader: seen.sessionHeader,
    accept: seen.accept,
    key: key?.kind === 'key' ? key.text : null,
    upgrade: named.includes('upgrade') ? seen.upgrade : null,
    isLast: named.includes('close'),
  };
}

function readFields(rawHeaders: readonly string[], sessionHeader: string | null): Seen {
  const seen: Seen = {
    hosts: [],
    lengths: [],
    codings: [],
    connection: [],
    upgrade: null,
    cookies: [],
    sessionHeader: undefined,
    accept: '',
    keys: [],
    via: [],
    forwards: [],
    claimed: { for: undefined, proto: undefined, host: undefined },
  };
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (name === sessionHeader) seen.sessionHeader ??= value;
    switch (name) {
      case 'host':
        seen.hosts.push(value);
        break;
      case 'content-length':
        seen.lengths.push(value);
        break;
      case 'transfer-encoding':
        seen.codings.push(value);
        break;
      case 'connection':
      case 'proxy-connection':
        if (name === 'connection') seen.connection.push(value);
        break;
      case 'upgrade':
        seen.upgrade = seen.upgrade === null ? value.trim().toLowerCase() : `${seen.upgrade},${value}`;
        break;
      case 'cookie':
        seen.cookies.push(value);
        break;
      case 'accept':
        seen.accept = value;
        break;
      case idempotencyKeyHeader:
        seen.keys.push(value);
        break;
      case 'via':
        seen.via.push(value);
        break;
      case 'max-forwards':
        seen.forwards.push(value);
        break;
      case 'x-forwarded-for':
        seen.claimed.for = seen.claimed.for === undefined ? value : `${seen.claimed.for}, ${value}`;
        break;
      case 'x-forwarded-proto':
        seen.claimed.proto ??= value.trim();
        break;
      case 'x-forwarded-host':
        seen.claimed.host ??= value.trim();
        break;
    }
  }
  return seen;
}

function decideHost(version: string, hosts: readonly string[], authority: string | null): string | null {
  if (hosts.length > 1) return null;
  const host = hosts[0];
  // An absolute target carries its own host, and the Host line is ignored (RFC 9112 §3.2.2), but it must not be garbage.
  if (host === undefined) return version === '1.0' ? (authority ?? 'localhost') : null;
  if (!isHost(host)) return null;
  return authority ?? host;
}

/** The one framing of the body, or why there is none that both ends would read alike. */
function decideFraming(version: string, seen: Seen): Framing | string {
  if (seen.codings.length > 0) {
    if (version === '1.0') return 'Transfer-Encoding in HTTP/1.0';
    if (seen.lengths.length > 0) return 'both Content-Length and Transfer-Encoding';
    // Two of them, or another: desync by TE.TE.
    if (seen.codings.length > 1 || !isChunked(seen.codings[0] ?? '')) return 'the Transfer-Encoding';
    return { kind: 'chunked' };
  }
  if (seen.lengths.length === 0) return { kind: 'none' };
  const [length = ''] = seen.lengths;
  if (seen.lengths.length > 1 || !/^[0-9]{1,15}$/.test(length)) return 'the Content-Length';
  const bytes = Number(length);
  return bytes === 0 ? { kind: 'none' } : { kind: 'length', bytes };
}

/** Whether one of the intermediaries listed in a Via line has this name. */
const isNamedIn = (via: string, pseudonym: string): boolean =>
  via.split(',').some((hop) => hop.trim().split(/[ \t]+/)[1] === pseudonym);

/** How many more hops an OPTIONS may make; null: as many as it likes (RFC 9110 §7.6.2). */
function decideForwards(values: readonly string[]): number | 'malformed' | null {
  const [value] = values;
  if (value === undefined) return null;
  return values.length > 1 || !/^[0-9]{1,15}$/.test(value) ? 'malformed' : Number(value);
}

function buildLines(
  raw: RawHead,
  host: string,
  seen: Seen,
  named: ReadonlySet<string>,
  forwards: number | null,
  options: HeadOptions,
): readonly string[] {
  const lines: string[] = ['Host', host];
  let hasCookie = false;
  for (let at = 0; at + 1 < raw.rawHeaders.length; at += 2) {
    const spelled = raw.rawHeaders[at] ?? '';
    const name = spelled.toLowerCase();
    if (name === 'host' || name === 'content-length' || name === 'via') continue;
    if (isHopByHop(name) || named.has(name) || isInternal(name) || isForwarded(name) || isDisguised(name)) continue;
    if (name === 'cookie') {
      if (!hasCookie) lines.push(spelled, seen.cookies.join('; '));
      hasCookie = true;
    } else if (name === 'max-forwards' && forwards !== null) {
      lines.push(spelled, String(forwards - 1));
    } else {
      lines.push(spelled, raw.rawHeaders[at + 1] ?? '');
    }
  }
  const isTrusted = options.trust(raw.address);
  const claimed: Claimed = seen.claimed;
  lines.push('Via', [...seen.via, `${raw.httpVersion} ${options.pseudonym}`].join(', '));
  lines.push(...forwardedLines(raw, host, claimed, isTrusted));
  return lines;
}
