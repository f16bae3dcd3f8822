import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile } from './support/cluster.ts';
import { watchMemory } from './support/memory-watch.ts';
import { drain, eventsOf, openStream, upload } from './support/streams.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startClusterForFile({ balancers: 2 });
});
afterAll(() => endClusters());

const at = (path: string): URL => new URL(path, cluster.url);

test('one session: 100 POSTs at once through two balancers, each adds 1: exactly 100, each value once', async () => {
  const client = new Client(cluster.url);
  await client.post('/append', 'first');
  const answers = await Promise.all(Array.from({ length: 100 }, () => client.post('/api/counter')));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const counts = answers.map((answer) => Number(answer.json().count)).sort((a, b) => a - b);
  expect(counts.at(-1)).toBe(100);
  expect((await client.get('/api/counter')).json().count).toBe(100);
  expect((await client.get('/list')).json().list).toEqual(['first']);
  client.close();
});

test('one session: a list appended to by 20 requests at once: all 20 are in it', async () => {
  const client = new Client(cluster.url);
  await client.post('/append', 'first');
  await Promise.all(Array.from({ length: 20 }, (_, i) => client.post('/append', `item ${i}`)));
  expect(new Set((await client.get('/list')).json<{ list: string[] }>().list).size).toBe(21);
  client.close();
});

test('event stream: each event changes the session: it reaches the client within 100 ms of being written', async () => {
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  // The best of a few streams: what holds events back does it every time, a busy machine does not.
  let best = Number.POSITIVE_INFINITY;
  let streams = 0;
  for (; streams < 5 && best > 100; streams += 1) {
    const stream = await openStream(at('/sse?ms=200'), { cookie: client.cookieHeader });
    const late: number[] = [];
    for await (const { data, arrivedAt } of eventsOf(stream)) {
      if (typeof data.at === 'number') late.push(arrivedAt - data.at);
    }
    expect(late).toHaveLength(2);
    best = Math.min(best, Math.max(...late));
  }
  expect(best).toBeLessThanOrEqual(100);
  expect((await client.get('/flushed')).json().events).toBe(streams);
  client.close();
});

test('event stream: it is the first request of a user: the cookie comes with the head', async () => {
  const stream = await openStream(at('/sse?ms=10'));
  expect(stream.headers['set-cookie']?.[0]).toMatch(/^JSESSIONID=[\w-]{40}/);
  await drain(stream);
});

test('head flushed early: the session changes afterwards: the body waits for the copy, the change is kept', async () => {
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  // Resolves with the head: the body is written only after the request that follows.
  const stream = await openStream(at('/flush-early'), { cookie: client.cookieHeader });
  expect((await client.post('/go')).json().told).toBe(true);
  expect(await drain(stream)).toBe('flushed 1'.length);
  expect((await client.get('/flushed')).json().flushed).toBe(1);
  client.close();
});

test('long poll: 3 s of silence, then a write: answered and kept', async () => {
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  const answer = await client.get('/long-poll?ms=3000');
  expect(answer.json().polls).toBe(1);
  client.close();
});

test('large bodies: 40 MB up and 40 MB down: no process grows by more than 50 MB', async () => {
  await upload(at('/upload'), 4);
  await drain(await openStream(at('/stream?mb=4')));
  const memory = watchMemory(cluster.pids());
  expect(await upload(at('/upload'), 40)).toEqual({ bytes: 40 * 2 ** 20 });
  expect(await drain(await openStream(at('/stream?mb=40')))).toBe(40 * 2 ** 20);
  expect(memory.end().bytes).toBeLessThan(50 * 2 ** 20);
});
