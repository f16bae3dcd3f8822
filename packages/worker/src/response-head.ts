import { internalHeaders, type RequestId, type View, type WorkerVerdict } from '@limpet/core';

/** One piece of what Node writes to a connection, as a stream hands it over. */
export interface Piece {
  readonly chunk: string | Buffer;
  readonly encoding: BufferEncoding;
}

/** The two lines that the worker adds to every final head: the echo, and the view it answers in (P1). */
export const internalLines = (request: RequestId, view: View | null): string =>
  `${internalHeaders.request}: ${request}\r\n${internalHeaders.view}: ${view?.term ?? 0}.${view?.number ?? 0}\r\n`;

const reasons = {
  204: 'No Content',
  409: 'Conflict',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
} as const;

export type OwnStatus = keyof typeof reasons;

/** A whole response by Limpet instead of the app: empty, and the last on its connection unless `keep`. */
export function ownResponse(status: OwnStatus, lines: string, verdict: WorkerVerdict | null, keep = false): string {
  const told = verdict === null ? '' : `${internalHeaders.verdict}: ${verdict}\r\n`;
  const length = status === 204 ? '' : 'content-length: 0\r\n';
  return `HTTP/1.1 ${status} ${reasons[status]}\r\n${lines}${told}${length}${keep ? '' : 'connection: close\r\n'}\r\n`;
}

const crlf = '\r\n';
/** A status line and a little more: an app that writes its own heads byte by byte is refused sooner than buffered. */
const unbrokenMax = 16_384;

/** Bytes with the lines put in; `head`: whether the final head's first line has passed. */
export interface Injected {
  readonly pieces: readonly Piece[];
  readonly head: boolean;
  /** The start of a head whose first line is not complete yet: to be put in front of the next bytes. */
  readonly rest: Buffer | null;
}

/**
 * Puts `lines` right behind the status line of the first final head (101 is one) in `pieces`. Heads of 102 and 103 pass as
 * they are; a 100 is left out, for the balancer has asked for the body itself and takes one for a broken answer. Works on the bytes, so the app's own ServerResponse never sees a header it did not set.
 */
export function injectLines(pieces: readonly Piece[], lines: string): Injected {
  const out: Piece[] = [];
  for (let at = 0; at < pieces.length; at++) {
    const piece = withoutContinue(pieces[at]);
    if (piece === undefined || piece.chunk.length === 0) continue;
    const headAt = skipInterim(piece);
    if (headAt === piece.chunk.length) {
      out.push(piece);
      continue;
    }
    const lineEnd = piece.chunk.indexOf(crlf, headAt);
    if (lineEnd < 0) return injectBroken([...out], [piece, ...pieces.slice(at + 1)], lines);
    out.push(...splice(piece, lineEnd + crlf.length, lines), ...pieces.slice(at + 1));
    return { pieces: out, head: true, rest: null };
  }
  return { pieces: out, head: false, rest: null };
}

/** Whether all of it is interim responses: nothing of the app's answer yet. */
export function isInterim(pieces: readonly Piece[]): boolean {
  return pieces.every((piece) => skipInterim(piece) === piece.chunk.length);
}

/** What an app's `writeContinue()` has put in front is gone. */
function withoutContinue(piece: Piece | undefined): Piece | undefined {
  if (piece === undefined || startOf(piece, 0) !== 'HTTP/1.1 100') return piece;
  const end = piece.chunk.indexOf(crlf + crlf);
  if (end < 0) return piece;
  const at = end + 2 * crlf.length;
  const { chunk, encoding } = piece;
  return withoutContinue({ chunk: typeof chunk === 'string' ? chunk.slice(at) : chunk.subarray(at), encoding });
}

function skipInterim(piece: Piece): number {
  let at = 0;
  while (startsInterim(piece, at)) {
    const end = piece.chunk.indexOf(crlf + crlf, at);
    if (end < 0) return at;
    at = end + 2 * crlf.length;
  }
  return at;
}

/** Version and status of the head that begins at `at`. */
const startOf = ({ chunk }: Piece, at: number): string =>
  typeof chunk === 'string' ? chunk.slice(at, at + 12) : chunk.toString('latin1', at, at + 12);

function startsInterim(piece: Piece, at: number): boolean {
  // The first digit of the status stands at 9: `HTTP/1.1 1`.
  const start = startOf(piece, at);
  return start.startsWith('HTTP/1.1 1') && start !== 'HTTP/1.1 101';
}

function splice(piece: Piece, at: number, lines: string): readonly Piece[] {
  const { chunk, encoding } = piece;
  if (typeof chunk === 'string') return [{ chunk: chunk.slice(0, at) + lines + chunk.slice(at), encoding }];
  return [
    { chunk: chunk.subarray(0, at), encoding },
    { chunk: lines, encoding: 'latin1' },
    { chunk: chunk.subarray(at), encoding },
  ];
}

function injectBroken(before: readonly Piece[], broken: readonly Piece[], lines: string): Injected {
  const joined: Piece = { chunk: joinPieces(broken), encoding: 'latin1' };
  const lineEnd = joined.chunk.indexOf(crlf);
  if (lineEnd >= 0)
    return { pieces: [...before, ...splice(joined, lineEnd + crlf.length, lines)], head: true, rest: null };
  if (joined.chunk.length > unbrokenMax) throw new Error('a response head without a line end');
  return { pieces: before, head: false, rest: joined.chunk as Buffer };
}

/** All bytes of the pieces in one buffer. */
export const joinPieces = (pieces: readonly Piece[]): Buffer =>
  Buffer.concat(
    pieces.map(({ chunk, encoding }) => (typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk)),
  );
