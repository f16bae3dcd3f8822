import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { watchMemory } from './support/memory-watch.ts';
import { drain, openStream, upload } from './support/streams.ts';

test('large bodies: 200 MB up and 200 MB down: no process grows by more than 50 MB', async () => {
  const cluster = await startCluster();
  const at = (path: string): URL => new URL(path, cluster.url);
  await upload(at('/upload'), 8);
  await drain(await openStream(at('/stream?mb=8')));
  const memory = watchMemory(cluster.pids());
  expect(await upload(at('/upload'), 200)).toEqual({ bytes: 200 * 2 ** 20 });
  expect(await drain(await openStream(at('/stream?mb=200')))).toBe(200 * 2 ** 20);
  expect(memory.end().bytes).toBeLessThan(50 * 2 ** 20);
});

test('long poll: 30 s of silence, then a write: answered and kept', async () => {
  const cluster = await startCluster();
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  const answer = await client.get('/long-poll?ms=30000', { timeoutMs: 45_000 });
  expect(answer.json().polls).toBe(1);
  client.close();
});
