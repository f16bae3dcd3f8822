import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile } from './support/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-retry-'));
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startClusterForFile({ flags: ['--replayable', 'POST /declared/*'] });
});
afterAll(async () => {
  await endClusters();
  rmSync(folder, { recursive: true, force: true });
});

/** A client with one addition made, and where it lives. */
async function counted(): Promise<Client> {
  const client = new Client(cluster.url);
  expect((await client.post('/api/counter')).json().count).toBe(1);
  return client;
}

const countOf = async (client: Client) => (await client.get('/api/counter')).json().count;

test('POST whose worker dies before it has committed: 502 unknown, no Retry-After, not run again', async () => {
  await cluster.settled();
  const client = await counted();
  const answer = await client.post('/die');
  expect([answer.status, answer.outcome, answer.headers['retry-after']]).toEqual([502, 'unknown', undefined]);
  expect(await countOf(client)).toBe(1);
  client.close();
});

test('POST whose worker dies after it has committed: 502 executed, no Retry-After, not run again', async () => {
  await cluster.settled();
  const client = await counted();
  const answer = await client.post('/commit-and-die');
  expect([answer.status, answer.outcome, answer.headers['retry-after']]).toEqual([502, 'executed', undefined]);
  expect(await countOf(client)).toBe(2);
  client.close();
});

test('GET that changes the session, its worker dies before it has committed: run once more, counted once', async () => {
  await cluster.settled();
  const client = await counted();
  const answer = await client.get(`/die-once?flag=${encodeURIComponent(join(folder, 'died'))}`);
  expect([answer.status, answer.json().count]).toEqual([200, 2]);
  expect(await countOf(client)).toBe(2);
  client.close();
});

let flags = 0;
/** The path of a handler that lets only its first attempt die. */
function dieOnce(path: string): string {
  flags += 1;
  return `${path}?flag=${encodeURIComponent(join(folder, `first-${flags}`))}`;
}

test('POST with an Idempotency-Key, its worker dies before it has committed: run once more, counted once, answered alike again', async () => {
  await cluster.settled();
  const client = await counted();
  const path = dieOnce('/die-once');
  const headers = { 'idempotency-key': '"first order"' };
  const answer = await client.post(path, '', { headers });
  expect([answer.status, answer.json().count]).toEqual([200, 2]);
  const again = await client.post(path, '', { headers });
  expect([again.status, again.headers.date, again.body]).toEqual([200, answer.headers.date, answer.body]);
  expect(await countOf(client)).toBe(2);
  client.close();
});

test('POST with an Idempotency-Key, its worker dies between its commit and its answer: executed, however often it is repeated', async () => {
  await cluster.settled();
  const client = await counted();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const answer = await client.post('/commit-and-die', '', { headers: { 'idempotency-key': 'second-order' } });
    expect([answer.status, answer.outcome, answer.headers['retry-after']]).toEqual([502, 'executed', undefined]);
  }
  expect(await countOf(client)).toBe(2);
  client.close();
});

test('POST with an Idempotency-Key and without a session, its worker dies: run once more', async () => {
  await cluster.settled();
  const client = new Client(cluster.url);
  const answer = await client.post(dieOnce('/die-once'), '', { headers: { 'idempotency-key': 'third-order' } });
  expect([answer.status, answer.json().count]).toEqual([200, 1]);
  client.close();
});

test('POST of a declared route, its worker dies before it has committed: run once more, counted once', async () => {
  await cluster.settled();
  const client = await counted();
  const answer = await client.post(dieOnce('/declared/die-once'));
  expect([answer.status, answer.json().count]).toEqual([200, 2]);
  expect(await countOf(client)).toBe(2);
  client.close();
});

test('POST with an Idempotency-Key, its worker is stopped in the middle of it: replaced, run once more, counted once', async () => {
  await cluster.settled();
  const client = await counted();
  const headers = { 'idempotency-key': 'fourth-order' };
  const answer = await client.post(dieOnce('/stop-once'), '', { headers });
  expect([answer.status, answer.json().count]).toEqual([200, 2]);
  expect(await countOf(client)).toBe(2);
  client.close();
});

test('POST without a session whose worker dies: 502 unknown: nobody can be asked', async () => {
  await cluster.settled();
  const client = new Client(cluster.url);
  const answer = await client.post('/die');
  expect([answer.status, answer.outcome]).toEqual([502, 'unknown']);
  client.close();
});
