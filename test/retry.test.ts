import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile } from './support/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'limpet-retry-'));
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startClusterForFile();
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

test('POST without a session whose worker dies: 502 unknown: nobody can be asked', async () => {
  await cluster.settled();
  const client = new Client(cluster.url);
  const answer = await client.post('/die');
  expect([answer.status, answer.outcome]).toEqual([502, 'unknown']);
  client.close();
});
