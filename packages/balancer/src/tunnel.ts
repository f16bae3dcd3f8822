import { createHash } from 'node:crypto';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { internalHeaders, parseViewNumber } from '@limpet/core';
import httpProxy from 'http-proxy';
import { type AttemptNote, type AttemptResult, internalLines, type Passage } from './exchange.ts';
import { isHopByHop, isInternal } from './fields.ts';
import { handshakeTimeoutMs } from './limits.ts';
import type { Upstream } from './upstreams.ts';

/** A client that asks for a WebSocket: its socket and the bytes that came after its head. */
export interface UpgradeClient {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** Given to the first attempt only: from then on they are back in the socket. */
  early: Buffer;
}

type Listener = (...values: unknown[]) => void;

/**
 * One attempt at an upgrade, through http-proxy's `ws()`. Its listeners for the worker's answer run only after the
 * answer was read here: a 421 or a failed connection must leave the client's socket alone, so that another attempt can
 * be made, and nothing becomes a tunnel without this request's own 101. Resolves when the tunnel has closed.
 */
export function tunnel(
  passage: Passage,
  client: UpgradeClient,
  upstream: Upstream,
  note: AttemptNote,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    const { socket } = client;
    const proxy = httpProxy.createProxyServer({});
    let sent: ClientRequest | null = null;
    proxy.on('proxyReqWs', (request: ClientRequest) => {
      request.path = passage.head.path;
      sent = request;
    });
    // G6: without an error callback http-proxy throws what a worker's death causes.
    const ignore = () => {};
    proxy.on('error', ignore);
    const { early } = client;
    client.early = Buffer.alloc(0);
    const target = { protocol: 'http:', host: 'worker', socketPath: upstream.path };
    proxy.ws(plainRequest(passage, client.request, note), socket, early, { target: target as never }, ignore);
    if (sent === null) return resolve({ kind: 'malformed', why: 'http-proxy sent nothing' });
    watch(sent, socket, passage, resolve);
  });
}

function watch(
  request: ClientRequest,
  socket: Duplex,
  passage: Passage,
  resolve: (result: AttemptResult) => void,
): void {
  const theirs = take(request);
  let isConnected = false;
  request.once('socket', (upstreamSocket) => upstreamSocket.once('connect', () => (isConnected = true)));
  // G3: a worker that accepts and stays silent.
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    request.destroy();
  }, handshakeTimeoutMs);
  // G2: a client that leaves before the 101.
  const onClientClose = () => request.destroy();
  socket.once('close', onClientClose);
  const settle = (result: AttemptResult) => {
    clearTimeout(timer);
    socket.off('close', onClientClose);
    resolve(result);
  };

  request.on('error', () => {
    if (socket.destroyed) settle({ kind: 'gone' });
    else if (isLate) settle({ kind: 'late' });
    else settle(isConnected ? { kind: 'broken', back: 'nothing', out: false } : { kind: 'unsent' });
  });
  request.on('response', (response: IncomingMessage) => {
    if (response.headers[internalHeaders.request] !== passage.id) {
      request.destroy();
      return settle({ kind: 'malformed', why: 'the request id' });
    }
    if (response.statusCode === 421 && response.headers[internalHeaders.verdict] === 'not-executed') {
      response.resume();
      const named = response.headers[internalHeaders.view];
      return settle({ kind: 'refused', view: typeof named === 'string' ? parseViewNumber(named) : null });
    }
    // G4: http-proxy writes its own chunks; the worker's framing and connection are not the client's.
    strip(response);
    delete response.headers['transfer-encoding'];
    response.headers.connection = 'close';
    response.once('close', () => {
      if (!response.complete) socket.destroy();
      settle({ kind: 'relayed' });
    });
    theirs.response(response);
  });
  request.on('upgrade', (response: IncomingMessage, upstreamSocket: Duplex, head: Buffer) => {
    upstreamSocket.on('error', () => {});
    const isOurs = response.headers[internalHeaders.request] === passage.id;
    if (!isOurs || !accepts(response, request.getHeader('sec-websocket-key'))) {
      upstreamSocket.destroy();
      return settle({ kind: 'malformed', why: isOurs ? 'the upgrade' : 'the request id' });
    }
    if (socket.destroyed) {
      upstreamSocket.destroy();
      return settle({ kind: 'gone' });
    }
    clearTimeout(timer);
    socket.off('close', onClientClose);
    strip(response);
    response.headers.connection = 'Upgrade';
    response.headers.upgrade = 'websocket';
    // G5: the two sockets live and die together.
    socket.once('close', () => upstreamSocket.destroy());
    upstreamSocket.once('close', () => {
      (socket as Duplex & { destroySoon?(): void }).destroySoon?.();
      resolve({ kind: 'relayed' });
    });
    theirs.upgrade(response, upstreamSocket, head);
  });
}

/** Whether this answer opens the WebSocket that was asked for (RFC 6455 §4.1): a 101 of something else is no tunnel. */
function accepts({ statusCode, headers }: IncomingMessage, key: unknown): boolean {
  const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return (
    statusCode === 101 && headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-accept'] === proof
  );
}

/** Takes http-proxy's listeners off the upstream request, so that they run only when called. */
function take(request: ClientRequest): { readonly response: Listener; readonly upgrade: Listener } {
  const listenersOf = (event: 'response' | 'upgrade'): Listener => {
    const listeners = request.listeners(event) as Listener[];
    request.removeAllListeners(event);
    return (...values) => {
      for (const listener of listeners) listener.call(request, ...values);
    };
  };
  request.removeAllListeners('error');
  return { response: listenersOf('response'), upgrade: listenersOf('upgrade') };
}

/** Removes what is between balancer and worker, or meant for that connection only. */
function strip(response: IncomingMessage): void {
  for (const name of Object.keys(response.headers)) {
    if (isInternal(name) || isHopByHop(name)) delete response.headers[name];
  }
}

/** The request as http-proxy reads it: the head that was built here, and nothing else of the client's. */
function plainRequest(passage: Passage, request: IncomingMessage, note: AttemptNote): IncomingMessage {
  const headers: Record<string, string | string[]> = Object.create(null);
  const lines = [
    ...passage.head.lines,
    'connection',
    'Upgrade',
    'upgrade',
    'websocket',
    // The last ones of the head, as with every other request.
    ...passage.extra,
    ...internalLines(passage, note, false),
  ];
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const name = (lines[at] ?? '').toLowerCase();
    const value = lines[at + 1] ?? '';
    const present = headers[name];
    if (present === undefined) headers[name] = value;
    else headers[name] = Array.isArray(present) ? [...present, value] : [present, value];
  }
  const plain = { method: 'GET', url: '/', headers, httpVersion: '1.1', httpVersionMajor: 1, socket: request.socket };
  return { ...plain, connection: request.socket } as unknown as IncomingMessage;
}
