import { internalHeaders, parseViewNumber, type ViewNumber } from '@limpet/core';
import { connectionTokens, isChunked, isHopByHop, isInternal } from './fields.ts';

/** A worker's answer head: what it says to the balancer, and what the client may see. */
export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** Alternating name and value as sent, without hop-by-hop and internal fields. Several Set-Cookie stay several. */
  readonly lines: readonly string[];
  /** The request id it echoes. */
  readonly echo: string | undefined;
  readonly view: ViewNumber | null;
  readonly verdict: string | undefined;
  /** Known length of the body; 0 where the method or status has none; null when it ends by chunks or with the connection. */
  readonly bytes: number | null;
  readonly isUntilClose: boolean;
  /** Why it is no answer: someone else could read it in another way than our parser did. For the log, without its bytes. */
  readonly fault: string | null;
}

/** Reads an answer head out of its raw lines (names and values alternating). */
export function readAnswerHead(
  method: string,
  status: number,
  statusText: string,
  raw: readonly (string | Buffer)[],
): AnswerHead {
  const fields: [name: string, spelled: string, value: string][] = [];
  const named = new Set<string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const spelled = text(raw[at]);
    const name = spelled.toLowerCase();
    const value = text(raw[at + 1]);
    if (name === 'connection') for (const token of connectionTokens(value)) named.add(token);
    fields.push([name, spelled, value]);
  }
  // 204 and 304 have no body whatever they say, and a length on a 204 would make a client wait for one (RFC 9110 §8.6).
  const isBodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200;
  const lines: string[] = [];
  const echoes = new Set<string>();
  const lengths: string[] = [];
  const codings: string[] = [];
  let view: ViewNumber | null = null;
  let verdict: string | undefined;
  let bytes: number | null = isBodiless ? 0 : null;
  for (const [name, spelled, value] of fields) {
    if (name === internalHeaders.request) echoes.add(value);
    else if (name === internalHeaders.view) view = parseViewNumber(value);
    else if (name === internalHeaders.verdict) verdict = value;
    if (name === 'transfer-encoding') codings.push(value);
    if (isInternal(name) || isHopByHop(name)) continue;
    if (name === 'content-length') {
      lengths.push(value);
      if (status === 204 || status < 200) continue;
      if (!isBodiless && /^[0-9]{1,15}$/.test(value)) bytes = Number(value);
    } else if (named.has(name) && name !== 'set-cookie') continue;
    lines.push(spelled, value);
  }
  return {
    status,
    statusText: printable.test(statusText) ? statusText : '',
    lines,
    // Two that differ are none.
    echo: echoes.size === 1 ? [...echoes][0] : undefined,
    view,
    verdict,
    bytes,
    isUntilClose: bytes === null && codings.length === 0,
    fault: explainFault(status, lengths, codings),
  };
}

/** undici takes more than one reader would (",chunked", two codings, status 999): what is not plain is refused. */
function explainFault(status: number, lengths: readonly string[], codings: readonly string[]): string | null {
  if (status < 100 || status > 599) return 'the status';
  if (codings.length > 0 && lengths.length > 0) return 'both Content-Length and Transfer-Encoding';
  if (codings.length > 1 || !codings.every(isChunked)) return 'the Transfer-Encoding';
  if (lengths.length > 1 || !lengths.every((length) => /^[0-9]{1,15}$/.test(length))) return 'the Content-Length';
  return null;
}

/** llhttp lets control bytes through in a reason phrase, and undici reads it as UTF-8: what is not plain is left out. */
const printable = /^[\t\x20-\x7e]*$/;

const text = (part: string | Buffer | undefined): string =>
  typeof part === 'string' ? part : (part?.toString('latin1') ?? '');
