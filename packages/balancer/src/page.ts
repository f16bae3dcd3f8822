import { type ErrorCode, LimpetError, type Outcome, outcomeHeader } from '@limpet/core';

/** An answer that Limpet makes itself. It names no worker and no version: whoever sees it may be anyone. */
export interface Page {
  readonly status: number;
  /** Alternating name and value. */
  readonly lines: readonly string[];
  readonly body: Buffer;
}

const titles: { readonly [status: number]: string } = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

/** The reason phrase of a status that Limpet answers with. */
export const statusTitle = (status: number): string => titles[status] ?? 'Error';

/** What `Allow` says of any target: the app behind may serve more, and says so itself. */
export const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

export interface PageOptions {
  readonly accept: string;
  readonly outcome?: Outcome;
  readonly detail?: Readonly<Record<string, string>>;
  /** Seconds. Only where it is certain that nothing was executed: some clients repeat a POST on it. */
  readonly retryAfter?: number;
}

/** The page for an error of the table: problem+json (RFC 9457) for programs, HTML for people, by `Accept`. */
export function renderPage(code: ErrorCode, options: PageOptions): Page {
  const error = new LimpetError(code, options.detail);
  const status = error.entry.status ?? 500;
  const title = statusTitle(status);
  const isHtml = /\btext\/html\b/i.test(options.accept);
  const text = isHtml
    ? html(title, error.message, options.outcome)
    : `${JSON.stringify({ type: 'about:blank', title, status, detail: error.message, code, ...(options.outcome && { outcome: options.outcome }) })}\n`;
  const body = Buffer.from(text);
  const lines = [
    'Content-Type',
    isHtml ? 'text/html; charset=utf-8' : 'application/problem+json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
  ];
  if (options.outcome !== undefined) lines.push(outcomeHeader, options.outcome);
  if (options.retryAfter !== undefined) lines.push('Retry-After', String(options.retryAfter));
  if (status === 405) lines.push('Allow', allowedMethods);
  if (status === 426) lines.push('Upgrade', 'websocket', 'Sec-WebSocket-Version', '13');
  return { status, lines, body };
}

/** Which entry of the table tells a client this outcome. */
export function codeOf(outcome: Outcome, isLate: boolean): ErrorCode {
  switch (outcome) {
    case 'not-executed':
      return 'LIMPET_NOT_EXECUTED';
    case 'unknown':
      return isLate ? 'LIMPET_NO_ANSWER' : 'LIMPET_UNKNOWN';
    case 'executed':
      return 'LIMPET_EXECUTED';
    case 'gone':
      return 'LIMPET_GONE';
    case 'running':
      return 'LIMPET_KEY_RUNNING';
  }
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

function html(title: string, message: string, outcome: Outcome | undefined): string {
  // A link, never a form or a reload: following it repeats nothing.
  const back = outcome === undefined ? '' : '<p><a href="/">Continue</a></p>';
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><p>${escapeHtml(message)}</p>${back}</html>\n`;
}

/** A whole answer as bytes, for sockets that have no ServerResponse: broken requests and refused upgrades. */
export function formatPage(page: Page, isHead: boolean): Buffer {
  let head = `HTTP/1.1 ${page.status} ${statusTitle(page.status)}\r\n`;
  for (let at = 0; at + 1 < page.lines.length; at += 2) head += `${page.lines[at]}: ${page.lines[at + 1]}\r\n`;
  const bytes = Buffer.from(`${head}Connection: close\r\n\r\n`, 'latin1');
  return isHead ? bytes : Buffer.concat([bytes, page.body]);
}
