import { connect, type Socket } from 'node:net';
import { type NodeId, nodeIdAt } from '@limpet/core';
import { afterEach, describe, expect, test } from 'vitest';
import { get, raw, TestCluster, until } from '../testing/harness.ts';

const n1 = nodeIdAt(1);
const n2 = nodeIdAt(2);
let cluster: TestCluster;
const clients: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await cluster.close();
});

const handshake = (lines: readonly string[] = []): string =>
  [
    'GET /socket?x=//1 HTTP/1.1',
    'Host: a.example',
    'Connection: keep-alive, Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol: chat',
    'Limpet-Session: forged',
    ...lines,
    '',
    '',
  ].join('\r\n');

interface Upgraded {
  readonly node: NodeId;
  readonly url: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly names: readonly string[];
  readonly socket: Socket;
}

/** Workers that upgrade and echo every byte; what they were asked is in the returned list. */
async function start(nodes: number, answer?: (got: Upgraded) => boolean): Promise<[number, Upgraded[]]> {
  cluster = new TestCluster({ nodes });
  const port = await cluster.start();
  const list: Upgraded[] = [];
  for (const [node, worker] of cluster.workers) {
    worker.server.on('upgrade', (request, stream, head) => {
      const socket = stream as Socket;
      socket.on('error', () => {});
      const got = {
        node,
        url: request.url ?? '',
        headers: request.headers,
        names: request.rawHeaders.filter((_, at) => at % 2 === 0),
        socket,
      };
      list.push(got);
      if (answer?.(got)) return;
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nlimpet-request: ${request.headers['limpet-request']}\r\nlimpet-view: 1.1\r\n\r\n`,
      );
      if (head.length > 0) socket.write(head);
      socket.pipe(socket);
    });
  }
  return [port, list];
}

function open(port: number, text: string): { readonly socket: Socket; text(): string; closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1');
  clients.push(socket);
  let got = '';
  socket.on('data', (chunk) => (got += chunk.toString('latin1')));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(text, 'latin1');
  return { socket, text: () => got, closed };
}

describe('websocket', () => {
  test('tunnel: after the 101: bytes both ways, early ones too, headers built anew', async () => {
    const [port, list] = await start(2);
    const id = cluster.sessionAt(n2);
    const client = open(port, `${handshake([`Cookie: JSESSIONID=${id}`])}early`);
    await until(() => client.text().endsWith('early'));
    for (let at = 0; at < 1_000; at++) client.socket.write(`message ${at};`);
    await until(() => client.text().endsWith('message 999;'));
    expect(client.text()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(client.text()).not.toMatch(/limpet-/i);
    expect(list).toHaveLength(1);
    expect(list[0]?.node).toBe(n2);
    expect(list[0]?.url).toBe('/socket?x=//1');
    expect(list[0]?.headers).toMatchObject({
      host: 'a.example',
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'x-forwarded-for': '127.0.0.1',
      'limpet-session': id,
      'limpet-attempt': '1',
    });
    expect(list[0]?.names.slice(-5).every((name) => name.startsWith('limpet-'))).toBe(true);
    client.socket.destroy();
    await until(() => list[0]?.socket.destroyed === true);
  });

  test('tunnel: the worker closes: the client is closed', async () => {
    const [port, list] = await start(1);
    const client = open(port, handshake());
    await until(() => client.text().includes('101'));
    list[0]?.socket.end('bye');
    await client.closed;
    expect(client.text()).toMatch(/bye$/);
  });

  test('421 before the 101: another attempt at the new primary', async () => {
    const [port, list] = await start(2, ({ node, headers, socket }) => {
      if (node === n2) return false;
      socket.end(
        `HTTP/1.1 421 Misdirected Request\r\nlimpet-request: ${headers['limpet-request']}\r\nlimpet-view: 1.2\r\nlimpet-verdict: not-executed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
      cluster.publishWithout([n1]);
      return true;
    });
    const client = open(port, `${handshake([`Cookie: JSESSIONID=${cluster.sessionAt(n1)}`])}early`);
    await until(() => client.text().endsWith('early'));
    expect(client.text()).not.toContain('421');
    expect(list.map((got) => got.node)).toEqual([n1, n2]);
  });

  test('refused by the app: relayed with good framing, internal fields removed', async () => {
    const [port] = await start(1, ({ headers, socket }) => {
      socket.end(
        `HTTP/1.1 401 Unauthorized\r\nlimpet-request: ${headers['limpet-request']}\r\nTransfer-Encoding: chunked\r\nX-Why: no\r\n\r\n4\r\nnope\r\n0\r\n\r\n`,
      );
      return true;
    });
    const answer = await raw(port, handshake());
    expect(answer.status).toBe(401);
    expect(answer.head).toMatch(/x-why: no/i);
    expect(answer.head).not.toMatch(/limpet-/i);
    expect(answer.body).toBe('4\r\nnope\r\n0\r\n\r\n');
  });

  test('101 that echoes another request: 502, no tunnel', async () => {
    const [port] = await start(1, ({ socket }) => {
      socket.write('HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nlimpet-request: 0\r\n\r\n');
      return true;
    });
    expect((await raw(port, handshake())).status).toBe(502);
  });

  test('resets before and after the 101: the balancer goes on', async () => {
    const [port, list] = await start(1, ({ url, socket }) => {
      if (!url.startsWith('/hold')) return false;
      socket.on('end', () => socket.destroy()).resume();
      return true;
    });
    const held = open(port, handshake().replace('/socket', '/hold'));
    await until(() => list.length === 1);
    held.socket.resetAndDestroy();
    await until(() => list[0]?.socket.destroyed === true);
    const opened = open(port, handshake());
    await until(() => opened.text().includes('101'));
    opened.socket.resetAndDestroy();
    await until(() => list[1]?.socket.destroyed === true);
    const third = open(port, handshake());
    await until(() => third.text().includes('101'));
    // A Unix socket has no reset; unread bytes at its end have the same effect.
    list[2]?.socket.destroy();
    await third.closed;
    expect((await raw(port, get('/'))).status).toBe(200);
  });

  test('worker not there: 503 at the deadline, nothing dies', async () => {
    cluster = new TestCluster({ nodes: 1, welcome: { deadlineMs: 100 } });
    const port = await cluster.start();
    cluster.worker(n1).die();
    const answer = await raw(port, handshake());
    expect(answer.status).toBe(503);
    expect(answer.head).toMatch(/limpet-outcome: not-executed/i);
  });

  test('what is no websocket: refused with 400', async () => {
    const [port, list] = await start(1);
    for (const bytes of [
      handshake().replace('Upgrade: websocket', 'Upgrade: foo'),
      handshake().replace('GET', 'POST'),
      handshake(['Content-Length: 5']),
      handshake().replace('dGhlIHNhbXBsZSBub25jZQ==', 'short'),
      handshake(['Transfer-Encoding: chunked']),
    ]) {
      expect((await raw(port, bytes)).status, bytes).toBe(400);
    }
    expect(list).toHaveLength(0);
  });
});
