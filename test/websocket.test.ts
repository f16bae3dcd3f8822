import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { waitUntil } from './support/wait-until.ts';

const socketIoApp = fileURLToPath(new URL('./fixtures/socketio-app.mjs', import.meta.url));
const webSocketUrl = (url: string): string => new URL('/echo', url).href.replace(/^http/, 'ws');

const opened = (socket: WebSocket): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });

test('websocket: an echo of 1,000 messages: every one comes back, in order', async () => {
  const cluster = await startCluster();
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  const socket = new WebSocket(webSocketUrl(cluster.url), { headers: { cookie: client.cookieHeader } });
  const received: string[] = [];
  socket.on('message', (data) => received.push(String(data)));
  await opened(socket);
  const sent = Array.from({ length: 1_000 }, (_, i) => `message ${i} ${'x'.repeat(i)}`);
  for (const text of sent) socket.send(text);
  await waitUntil(() => received.length === sent.length, { what: '1,000 echoes' });
  expect(received).toEqual(sent);
  socket.close();
  client.close();
});

test('websocket: clients reset before the 101: no process dies, the next one is served', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const before = await cluster.settled();
  const { hostname, port } = new URL(cluster.url);
  const head = [
    'GET /echo HTTP/1.1',
    'Host: a',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ].join('\r\n');
  for (let round = 0; round < 50; round += 1) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`${head}\r\n\r\n`);
        socket.resetAndDestroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
  }
  const socket = new WebSocket(webSocketUrl(cluster.url));
  await opened(socket);
  socket.close();
  const after = await cluster.status();
  expect(after.nodes.map(({ pid }) => pid)).toEqual(before.nodes.map(({ pid }) => pid));
  expect(after.balancers).toEqual(before.balancers);
});

test('websocket: socket.io polls first and upgrades then, over four nodes: each client stays on its node', async () => {
  const cluster = await startCluster({ app: socketIoApp });
  const nodesSeen = new Set<string>();
  for (let round = 0; round < 8; round += 1) {
    const client = new Client(cluster.url);
    const page = (await client.get('/')).json<{ node: string }>();
    const socket = io(cluster.url, {
      transports: ['polling', 'websocket'],
      extraHeaders: { cookie: client.cookieHeader },
      forceNew: true,
      reconnection: false,
    });
    const problems: string[] = [];
    socket.on('connect_error', (error) => problems.push(error.message));
    const node = await new Promise<string>((resolve, reject) => {
      socket.once('node', resolve);
      socket.once('connect_error', reject);
    });
    await waitUntil(() => socket.io.engine.transport.name === 'websocket', { what: 'the upgrade' });
    expect(await socket.timeout(5_000).emitWithAck('echo', `hello ${round}`)).toBe(`hello ${round}`);
    expect(node).toBe(page.node);
    expect(problems).toEqual([]);
    nodesSeen.add(node);
    socket.close();
    client.close();
  }
  expect(nodesSeen.size).toBeGreaterThan(1);
});
