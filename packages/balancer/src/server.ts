import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '@limpet/core';
import { ClientDownstream, sendPage } from './downstream.ts';
import { clientIdleMs, headBytesMax, headerLinesMax, headersTimeoutMs, requestTimeoutMs } from './limits.ts';
import { formatPage, renderPage } from './page.ts';
import { passageOf, rawHeadOf } from './passage.ts';
import { type Relay, relay } from './relay.ts';
import { buildRequestHead } from './request-head.ts';
import { upgrade } from './upgrade.ts';
import { emptyBody, readBody } from './upload.ts';

/** The careful lane's front: node:http with every limit set, ready to listen. */
export function createFront(shared: Relay): Server {
  const server = createServer({
    insecureHTTPParser: false,
    // Checked by the head builder, which also takes HTTP/1.0 and absolute targets into account.
    requireHostHeader: false,
    maxHeaderSize: headBytesMax,
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: clientIdleMs,
    connectionsCheckingInterval: 5_000,
    noDelay: true,
    highWaterMark: 64 * 1024,
  });
  server.maxHeadersCount = headerLinesMax;
  server.on('request', (request, response) => accept(shared, server, request, response, false));
  server.on('checkContinue', (request, response) => accept(shared, server, request, response, true));
  server.on('checkExpectation', (request, response) => {
    const down = new ClientDownstream(request, response);
    sendPage(
      down,
      renderPage('LIMPET_EXPECTATION', { accept: request.headers.accept ?? '' }),
      request.method === 'HEAD',
    );
  });
  server.on('connect', (_, socket) => refuseBytes(socket, 'LIMPET_METHOD', 'CONNECT'));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // Bytes after a request with `Connection: close`: its answer is on the way, or out, and they are ignored.
    if (error.code === 'HPE_CLOSED_CONNECTION') return;
    const code = codeOfClientError(error.code);
    // After a head that was served, the bytes of a page would be read as part of that answer.
    const isAnswering =
      (socket as Duplex & { _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true;
    if (isAnswering || error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else refuseBytes(socket, code, 'the request cannot be read');
  });
  server.on('upgrade', (request, socket, early) => {
    if (upgrade(shared, request, socket, early) === 'plain') serveWithoutUpgrade(server, request, socket, early);
  });
  return server;
}

function codeOfClientError(code: string | undefined): ErrorCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'LIMPET_HEADERS_TOO_LARGE';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'LIMPET_REQUEST_TIMEOUT';
  return 'LIMPET_BAD_REQUEST';
}

function refuseBytes(socket: Duplex, code: ErrorCode, what: string): void {
  socket.on('error', () => {});
  socket.end(formatPage(renderPage(code, { accept: '', detail: { what, method: what } })));
  // A sender that does not read would keep a half-closed socket for ever.
  setTimeout(() => socket.destroy(), 1_000).unref();
}

/** The life of a request: read the head, find the session, read what can be replayed of the body, relay. */
function accept(
  shared: Relay,
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  expects: boolean,
): void {
  const { socket } = request;
  const before = answering.get(socket);
  answering.set(socket, response);
  if (before !== undefined && !before.closed) {
    // Pipelined: what an earlier request does must be done before a later one runs (RFC 9112 §9.3.2).
    before.once('close', () => start(shared, server, request, response, expects));
    return;
  }
  start(shared, server, request, response, expects);
}

/** The newest answer of each connection. */
const answering = new WeakMap<Duplex, ServerResponse>();

function start(
  shared: Relay,
  server: Server,
  request: IncomingMessage,
  response: ServerResponse,
  expects: boolean,
): void {
  const down = new ClientDownstream(request, response);
  if (!server.listening) response.setHeader('Connection', 'close');
  travel(shared, request, response, down, expects).catch((error: unknown) => {
    shared.log.error({ err: error }, 'a request failed');
    down.cut();
  });
}

async function travel(
  shared: Relay,
  request: IncomingMessage,
  response: ServerResponse,
  down: ClientDownstream,
  expects: boolean,
): Promise<void> {
  const isHead = request.method === 'HEAD';
  const accepts = request.headers.accept ?? '';
  const { settings } = shared.cluster;
  if (settings === null) {
    sendPage(down, renderPage('LIMPET_NO_NODE', { accept: accepts, outcome: 'not-executed', retryAfter: 1 }), isHead);
    return;
  }
  const head = buildRequestHead(rawHeadOf(request), { sessionHeader: settings.headerName, trust: settings.trust });
  if (head.kind === 'asterisk') {
    down.head(204, '', ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
    down.end();
    return;
  }
  if (head.kind === 'refused') {
    // What follows a request that is not understood is not understood either.
    response.setHeader('Connection', 'close');
    sendPage(down, renderPage(head.code, { accept: accepts, detail: { what: head.what, method: head.what } }), isHead);
    return;
  }
  if (expects && request.httpVersion === '1.1') response.writeContinue();
  const body = head.framing.kind === 'none' ? emptyBody : await readBody(request, head.framing);
  if (body.kind === 'broken') return;
  if (head.framing.kind === 'none') request.resume();
  await relay(shared, passageOf(shared, head, body), down, settings.deadlineMs);
}

/** Serves a request whose upgrade is not spoken as if it had not asked: Node gives it to nobody else (before v24.9). */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, early: Buffer): void {
  let head = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  const { rawHeaders } = request;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase();
    if (name === 'upgrade' || name === 'http2-settings' || name === 'connection') continue;
    head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), early]));
  server.emit('connection', socket);
}
