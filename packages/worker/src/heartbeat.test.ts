import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import { startHeartbeat } from './heartbeat.ts';
import { type Pulse, startPulse } from './pulse.ts';

const noPort = 0;

test('a loop that comes round: every beat shows another turn', async () => {
  const beats: Pulse[] = [];
  const timer = startHeartbeat(startPulse(), noPort, (pulse) => beats.push(pulse));
  await vi.waitFor(() => expect(new Set(beats.map(({ turns }) => turns)).size).toBeGreaterThan(2), 10_000);
  clearInterval(timer);
  expect(beats.every(({ inspected }) => !inspected)).toBe(true);
});

test('a loop that stands: beats go on and show the same turn', async () => {
  const beats: Pulse[] = [];
  const timer = startHeartbeat(new SharedArrayBuffer(8), noPort, (pulse) => beats.push(pulse));
  await vi.waitFor(() => expect(beats.length).toBeGreaterThan(2), 10_000);
  clearInterval(timer);
  expect(new Set(beats.map(({ turns }) => turns)).size).toBe(1);
});

test('a loop that stands and a debugger opened meanwhile: the beats say so', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const beats: Pulse[] = [];
  const timer = startHeartbeat(new SharedArrayBuffer(8), port, (pulse) => beats.push(pulse));
  await vi.waitFor(() => expect(beats.at(-1)?.inspected).toBe(true), 10_000);
  clearInterval(timer);
  server.close();
  expect(beats[0]?.inspected).toBe(false);
});
