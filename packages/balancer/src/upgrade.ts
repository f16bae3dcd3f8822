import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { tunnelsMax } from './limits.ts';
import { formatPage, type Page, renderPage } from './page.ts';
import { passageOf, rawHeadOf } from './passage.ts';
import { Journey, type Relay, type Send } from './relay.ts';
import { buildRequestHead, type RequestHead } from './request-head.ts';
import { tunnel, type UpgradeClient } from './tunnel.ts';
import { emptyBody } from './upload.ts';

let tunnels = 0;

/** Upgrades in flight and open tunnels of this process. */
export const openTunnels = (): number => tunnels;

const keyPattern = /^[+/0-9A-Za-z]{22}==$/;

/** What becomes of an upgrade request. `plain`: serve it as an ordinary request, without the upgrade. */
export type Upgraded = 'plain' | 'taken';

/** Answers an upgrade request: a WebSocket goes to the worker of its session, h2c is not spoken, the rest is refused. */
export function upgrade(shared: Relay, request: IncomingMessage, socket: Duplex, early: Buffer): Upgraded {
  // G1: before anything else, a reset must not end the process.
  socket.on('error', () => {});
  const { settings } = shared.cluster;
  if (settings === null) {
    refuse({ request, socket }, renderPage('LIMPET_NO_NODE', { accept: '', outcome: 'not-executed', retryAfter: 1 }));
    return 'taken';
  }
  const head = buildRequestHead(rawHeadOf(request), settings);
  if (head.kind === 'options') return 'plain';
  if (head.kind === 'refused') {
    refuse({ request, socket }, renderPage(head.code, { accept: '', detail: { what: head.what, method: head.what } }));
    return 'taken';
  }
  if (head.upgrade?.split(',').some((protocol) => protocol.trim() === 'h2c')) return 'plain';
  const why = explainRefusal(head, request);
  if (why === null && request.headers['sec-websocket-version'] !== '13') {
    refuse({ request, socket }, renderPage('LIMPET_WEBSOCKET_VERSION', { accept: head.accept }));
    return 'taken';
  }
  if (why !== null) {
    refuse({ request, socket }, renderPage('LIMPET_BAD_REQUEST', { accept: head.accept, detail: { what: why } }));
    return 'taken';
  }
  if (tunnels >= tunnelsMax) {
    refuse(
      { request, socket },
      renderPage('LIMPET_OVERLOADED', { accept: head.accept, outcome: 'not-executed', retryAfter: 1 }),
    );
    return 'taken';
  }
  void travel(shared, head, { request, socket, early }, settings.deadlineMs);
  return 'taken';
}

async function travel(shared: Relay, head: RequestHead, client: UpgradeClient, deadlineMs: number): Promise<void> {
  const { socket } = client;
  const passage = passageOf(shared, head, emptyBody);
  const send: Send = (upstream, note) => tunnel(passage, client, upstream, note);
  const view = {
    get isGone() {
      return socket.destroyed;
    },
    cut: () => socket.destroy(),
  };
  tunnels += 1;
  try {
    const end = await new Journey(shared, passage, send, view, deadlineMs).run();
    if (end.kind === 'page') {
      const retry = end.retryAfter === undefined ? {} : { retryAfter: end.retryAfter };
      refuse(client, renderPage(end.code, { accept: head.accept, outcome: end.outcome, ...retry }));
    }
  } catch (error) {
    shared.log.error({ err: error }, 'an upgrade failed');
    socket.destroy();
  } finally {
    tunnels -= 1;
  }
}

/** Why this may not become a tunnel: whatever follows the head of a tunnel is read by nobody here (WebSocket smuggling). */
function explainRefusal(head: RequestHead, request: IncomingMessage): string | null {
  if (head.upgrade !== 'websocket') return 'only an upgrade to websocket is served';
  if (head.method !== 'GET' || request.httpVersion !== '1.1') return 'a websocket begins with GET and HTTP/1.1';
  if (head.framing.kind !== 'none') return 'a websocket request has no body';
  if (!keyPattern.test(request.headers['sec-websocket-key'] ?? '')) return 'the Sec-WebSocket-Key';
  return null;
}

function refuse({ request, socket }: Pick<UpgradeClient, 'request' | 'socket'>, page: Page): void {
  if (!socket.destroyed) socket.end(formatPage(page, request.method === 'HEAD'));
}
