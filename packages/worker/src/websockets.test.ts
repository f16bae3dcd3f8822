import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { Gate } from './gate.ts';
import { WebSockets } from './websockets.ts';

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A WebSocket server whose connections are followed as those of a worker are. */
async function serve(onConnection: (socket: WebSocket) => void): Promise<{ url: string; webSockets: WebSockets }> {
  const webSockets = new WebSockets();
  server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket: Socket, early) => {
    const gate = new Gate(socket);
    gate.begin({
      context: { participant: null } as never,
      response: null,
      lines: () => '',
      pieceWaitMs: 1_000,
      headPassed: () => {},
      upgraded: (head) => webSockets.follow(socket, head),
    });
    sockets.handleUpgrade(req, socket, early, onConnection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, webSockets };
}

async function open(url: string): Promise<{ socket: WebSocket; closed: Promise<number>; received: string[] }> {
  const socket = new WebSocket(url);
  const received: string[] = [];
  socket.on('message', (data) => received.push(String(data)));
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  return { socket, closed, received };
}

test('websockets: told to go away: the client gets 1001, and so does the app, which ends the connection', async () => {
  const codes: number[] = [];
  const { url, webSockets } = await serve((socket) => socket.on('close', (code) => codes.push(code)));
  const { closed } = await open(url);
  expect(webSockets.size).toBe(1);
  await webSockets.closeAll(0);
  expect(await closed).toBe(1001);
  expect(codes).toEqual([1001]);
  expect(webSockets.size).toBe(0);
});

test('websockets: the app is sending a lot: every message sent before the close arrives whole', async () => {
  const texts = Array.from({ length: 40 }, (_, i) => String(i).padEnd(100_000, 'x'));
  const { url, webSockets } = await serve((socket) => {
    for (const text of texts) socket.send(text);
    // Behind the close there is nothing: a frame after it would be a protocol error at the client.
    socket.on('close', () => socket.send('late', () => {}));
  });
  const { closed, received, socket } = await open(url);
  const errors: unknown[] = [];
  socket.on('error', (error) => errors.push(error));
  await webSockets.closeAll(0);
  expect(await closed).toBe(1001);
  expect(received).toEqual(texts);
  expect(errors).toEqual([]);
});

test('websockets: several over a time: one after the other', async () => {
  const { url, webSockets } = await serve(() => {});
  const clients = [await open(url), await open(url), await open(url)];
  const order: number[] = [];
  clients.forEach(({ closed }, i) => void closed.then(() => order.push(i)));
  const begin = performance.now();
  await webSockets.closeAll(300);
  expect(performance.now() - begin).toBeGreaterThanOrEqual(199);
  expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([1001, 1001, 1001]);
  expect(order).toEqual([0, 1, 2]);
});

test('websockets: a client that does not answer the close: its connection is cut', async () => {
  const { url, webSockets } = await serve(() => {});
  const { socket } = await open(url);
  // Neither reads nor answers.
  (socket as unknown as { _socket: Socket })._socket.pause();
  await webSockets.closeAll(0);
  expect(webSockets.size).toBe(0);
});

test('websockets: an upgrade that was refused is none', async () => {
  const { url, webSockets } = await serve(() => {});
  server?.removeAllListeners('upgrade');
  server?.on('upgrade', (_, socket: Socket) => {
    webSockets.follow(socket, Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const socket = new WebSocket(url);
  await once(socket, 'error');
  expect(webSockets.size).toBe(0);
});
