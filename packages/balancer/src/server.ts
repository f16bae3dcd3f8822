import {
  createServer,
  type IncomingMessage,
  METHODS,
  type Server as PlainServer,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { ErrorCode } from '@limpet/core';
import { Patience } from './cluster.ts';
import { sendPage } from './downstream.ts';
import { connectionTokens } from './fields.ts';
import { clientIdleMs, headBytesMax, headerLinesMax, headersTimeoutMs, requestTimeoutMs } from './limits.ts';
import { allowedMethods, formatPage, renderPage } from './page.ts';
import { passageOf, rawHeadOf } from './passage.ts';
import { type Relay, relay } from './relay.ts';
import { buildRequestHead } from './request-head.ts';
import { isAuthority } from './target.ts';
import type { Tls } from './tls.ts';
import { afterTurns, Turn, turnOf } from './turns.ts';
import { upgrade } from './upgrade.ts';
import { readBody } from './upload.ts';

/** What clients connect to. */
export type Server = PlainServer | TlsServer;

/** The careful lane's front: node:http with every limit set, over TLS if there is any, ready to listen. */
export function createFront(shared: Relay, tls: Tls | null): Server {
  const options: ServerOptions = {
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
  };
  const server = tls === null ? createServer(options) : createTlsServer({ ...options, ...tls.options });
  server.maxHeadersCount = headerLinesMax;
  const accept = (request: IncomingMessage, response: ServerResponse): void => {
    const turn = new Turn(request, response);
    turn.begin(() => start(shared, server, turn));
  };
  server.on('request', accept);
  server.on('checkContinue', accept);
  server.on('checkExpectation', accept);
  server.on('connect', (request, socket) => {
    socket.on('error', () => {});
    afterTurns(socket, () => {
      if (isAuthority(request.url ?? '')) refuseBytes(socket, 'LIMPET_METHOD', 'CONNECT');
      else refuseBytes(socket, 'LIMPET_BAD_REQUEST', 'the request target');
    });
  });
  server.on('clientError', (error: ClientError, socket) => {
    if (!isOfHttp(error.code) || !socket.writable) {
      socket.destroy();
      return;
    }
    // Node tells again with every further piece of what it cannot read.
    if (broken.has(socket)) return;
    broken.add(socket);
    if (error.code === 'HPE_CLOSED_CONNECTION') {
      // Bytes after a request with `close`: they are ignored. If it came in a trailer, only the parser knows of it.
      turnOf(socket)?.end(() => socket.end());
      return;
    }
    const code = codeOfClientError(error);
    const refuse = (isHead: boolean) => refuseBytes(socket, code, 'the request cannot be read', isHead);
    const turn = turnOf(socket);
    if (turn === null) refuse(false);
    else {
      turn.breakOff(() => {
        // Of its own bytes, or of what came after it.
        const isIts = !turn.request.complete;
        if (!isIts || !turn.response.headersSent) refuse(isIts && turn.request.method === 'HEAD');
        // After a head that was served, the bytes of a page would be read as part of that answer.
        else if (!turn.down.finishLingering()) socket.destroy();
      });
    }
  });
  server.on('upgrade', (request, socket, early) => {
    socket.on('error', () => {});
    afterTurns(socket, () => {
      if (upgrade(shared, request, socket, early) === 'plain') serveWithoutUpgrade(server, request, socket, early);
    });
  });
  return server;
}

/** What was read was no HTTP, or not in time. Anything else is a connection that broke, or a handshake that failed: nobody is there to be told. */
const isOfHttp = (code: string | undefined): boolean =>
  code?.startsWith('HPE_') === true || code?.startsWith('ERR_HTTP_') === true;

/** An error of Node's parser: with the bytes it was reading, and how many of them it took. */
interface ClientError extends NodeJS.ErrnoException {
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

const methodLengthMax = Math.max(...METHODS.map((method) => method.length));

function codeOfClientError({ code, rawPacket, bytesParsed = 0 }: ClientError): ErrorCode {
  if (code === 'HPE_INVALID_METHOD' && rawPacket !== undefined) {
    // Longer than any known method: 501 (RFC 9112 §3). Only where the rest of the line is at hand and says that it is HTTP.
    const line = rawPacket.toString('latin1', rawPacket.lastIndexOf('\n', bytesParsed) + 1).slice(0, 1_024);
    const method = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) [!-~]+ HTTP\/1\.[01]\r\n/.exec(line)?.[1] ?? '';
    if (method.length > methodLengthMax) return 'LIMPET_METHOD_UNKNOWN';
  }
  if (code === 'HPE_HEADER_OVERFLOW') return 'LIMPET_HEADERS_TOO_LARGE';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'LIMPET_REQUEST_TIMEOUT';
  return 'LIMPET_BAD_REQUEST';
}

function refuseBytes(socket: Duplex, code: ErrorCode, what: string, isHead = false): void {
  socket.on('error', () => {});
  socket.end(formatPage(renderPage(code, { accept: '', detail: { what, method: what } }), isHead));
  // A sender that does not read would keep a half-closed socket for ever.
  setTimeout(() => socket.destroy(), 1_000).unref();
}

/** Connections whose bytes the parser could not read. */
const broken = new WeakSet<Duplex>();

function start(shared: Relay, server: Server, turn: Turn): void {
  const { down } = turn;
  if (!server.listening) down.isLast = true;
  travel(shared, turn).catch((error: unknown) => {
    shared.log.error({ err: error }, 'a request failed');
    down.cut();
  });
}

/** The life of a request: read the head, find the session, read what can be replayed of the body, relay. */
async function travel(shared: Relay, { request, response, down }: Turn): Promise<void> {
  const isHead = request.method === 'HEAD';
  const accepts = request.headers.accept ?? '';
  const { settings } = shared.cluster;
  if (settings === null) {
    sendPage(down, renderPage('LIMPET_NO_NODE', { accept: accepts, outcome: 'not-executed', retryAfter: 1 }), isHead);
    return;
  }
  const head = buildRequestHead(rawHeadOf(request), settings);
  if (head.kind === 'options') {
    down.head(204, '', ['Allow', allowedMethods]);
    down.end();
    return;
  }
  if (head.kind === 'refused') {
    // What follows a request that is not understood is not understood either.
    down.isLast = true;
    sendPage(down, renderPage(head.code, { accept: accepts, detail: { what: head.what, method: head.what } }), isHead);
    return;
  }
  if (head.isLast) down.isLast = true;
  const expects = request.httpVersion === '1.1' ? request.headers.expect : undefined;
  // Node takes "x, 100-continue" for one, too.
  if (expects !== undefined && expects.toLowerCase() !== '100-continue') {
    sendPage(down, renderPage('LIMPET_EXPECTATION', { accept: accepts }), isHead);
    return;
  }
  const patience = new Patience(shared.cluster, settings.deadlineMs);
  if (expects !== undefined && head.framing.kind !== 'none') {
    // A client that waits for a 100 is not asked for its body before there is a worker to take it (RFC 9110 §10.1.1).
    if (!shared.cluster.hasHomes && !(await patience.until(() => shared.cluster.hasHomes))) {
      sendPage(down, renderPage('LIMPET_NO_NODE', { accept: accepts, outcome: 'not-executed', retryAfter: 1 }), isHead);
      return;
    }
    response.writeContinue();
  }
  const body = await readBody(request, head.framing);
  if (body.kind === 'broken') return;
  await relay(shared, passageOf(shared, head, body), down, patience.leftMs);
}

/** Serves a request whose upgrade is not spoken as if it had not asked: Node gives it to nobody else (before v24.9). */
function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, early: Buffer): void {
  let head = `${request.method} ${request.url} HTTP/${request.httpVersion}\r\n`;
  const { rawHeaders } = request;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase();
    if (name === 'upgrade' || name === 'http2-settings') continue;
    if (name === 'connection') {
      const rest = connectionTokens(rawHeaders[at + 1] ?? '').filter((token) => token !== 'upgrade');
      if (rest.length > 0) head += `Connection: ${rest.join(', ')}\r\n`;
      continue;
    }
    head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${head}\r\n`, 'latin1'), early]));
  server.emit('connection', socket);
}
