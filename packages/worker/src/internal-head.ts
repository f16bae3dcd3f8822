import type { IncomingMessage } from 'node:http';
import {
  internalHeaders,
  internalPrefix,
  type Keyed,
  type Prior,
  parseKeyed,
  parseRequestId,
  parseViewNumber,
  type RequestId,
  type ViewNumber,
} from '@limpet/core';

/** What the balancer says about a request, in the last headers of its head. */
export interface InternalHead {
  readonly request: RequestId;
  readonly view: ViewNumber;
  readonly attempt: number;
  /** Null: certain that nothing of it has run anywhere (first attempt, or only 421s and refused connections). */
  readonly prior: Prior | null;
  /** As sent: its MAC is not checked yet. */
  readonly session: string | null;
  /** Its Idempotency-Key, null without one. */
  readonly keyed: Keyed | null;
  /** Null: the cluster's own. */
  readonly deadlineMs: number | null;
  readonly admit: boolean;
  readonly probe: boolean;
}

/** What HTTP clients write by themselves behind the headers they are given. */
const framing = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'host']);

const attemptMax = 1000;
const deadlineMsMax = 600_000;

/**
 * Reads the internal headers and removes them from everything that the app can see. Null: this request did not come from
 * a balancer (no request id, or one that no balancer makes).
 */
export function takeInternalHead(req: IncomingMessage): InternalHead | null {
  const raw = req.rawHeaders;
  const found = new Map<string, string>();
  let end = raw.length;
  while (end >= 2 && framing.has((raw[end - 2] ?? '').toLowerCase())) end -= 2;
  let start = end;
  // Only the last ones: a client's header of such a name, let through by mistake, stands before the balancer's and says nothing here.
  for (; start >= 2; start -= 2) {
    const name = (raw[start - 2] ?? '').toLowerCase();
    if (!name.startsWith(internalPrefix) || found.has(name)) break;
    found.set(name, raw[start - 1] ?? '');
  }
  if (found.size > 0) forget(req, start, end, found.keys());
  return readHead(found);
}

function readHead(found: ReadonlyMap<string, string>): InternalHead | null {
  const request = parseRequestId(found.get(internalHeaders.request) ?? '');
  const view = parseViewNumber(found.get(internalHeaders.view) ?? '');
  const attempt = readCount(found.get(internalHeaders.attempt) ?? '1', attemptMax);
  if (request === null || view === null || attempt === null || attempt === 0) return null;
  const prior = found.get(internalHeaders.prior);
  return {
    request,
    view,
    attempt,
    prior: prior === undefined ? null : prior === 'nothing' ? 'nothing' : 'head',
    session: found.get(internalHeaders.session) ?? null,
    keyed: parseKeyed(found.get(internalHeaders.key) ?? ''),
    deadlineMs: readCount(found.get(internalHeaders.deadline) ?? '', deadlineMsMax),
    admit: found.get(internalHeaders.admit) === '1',
    probe: found.get(internalHeaders.probe) === '1',
  };
}

function readCount(text: string, max: number): number | null {
  if (!/^[0-9]{1,9}$/.test(text)) return null;
  return Math.min(Number(text), max);
}

let countSymbol: symbol | null | undefined;

/** Node builds `headers` and `headersDistinct` from the first so many of `rawHeaders`, when they are asked for. */
function countSymbolOf(req: IncomingMessage): symbol | null {
  countSymbol ??= Object.getOwnPropertySymbols(req).find((symbol) => symbol.description === 'kHeadersCount') ?? null;
  return countSymbol;
}

function forget(req: IncomingMessage, start: number, end: number, names: Iterable<string>): void {
  const symbol = countSymbolOf(req);
  if (symbol !== null && Reflect.get(req, symbol) === req.rawHeaders.length) {
    req.rawHeaders.splice(start, end - start);
    Reflect.set(req, symbol, req.rawHeaders.length);
    // Already built once, for Host and Expect: built anew, without the internal ones, when the app asks.
    Reflect.set(req, 'headers', null);
    return;
  }
  // A Node that counts otherwise: both are built now and cleaned.
  const { headers, headersDistinct } = req;
  for (const name of names) {
    delete headers[name];
    delete headersDistinct[name];
  }
  req.rawHeaders.splice(start, end - start);
}
