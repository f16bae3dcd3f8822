import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile } from './support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startClusterForFile();
});
afterAll(() => endClusters());

async function signedIn(name: string): Promise<Client> {
  const client = new Client(cluster.url);
  expect((await client.post('/login', name)).status).toBe(200);
  expect((await client.get('/api/me')).json().name).toBe(name);
  return client;
}

test('log-out: an older request that only read finishes afterwards: still logged out', async () => {
  const client = await signedIn('user one');
  const cookie = client.cookieHeader;
  const older = client.get('/slow?ms=500');
  await client.post('/logout');
  await older;
  const again = await new Client(cluster.url).get('/api/me', { headers: { cookie } });
  expect(again.status).toBe(200);
  expect(again.json().name).toBe(null);
  client.close();
});

test('log-out: an older request writes and finishes afterwards: 409 gone, still logged out', async () => {
  const client = await signedIn('user two');
  const cookie = client.cookieHeader;
  const older = client.get('/slow?ms=500&write');
  await client.post('/logout');
  const late = await older;
  expect([late.status, late.outcome]).toEqual([409, 'gone']);
  const again = await new Client(cluster.url).get('/api/me', { headers: { cookie } });
  expect(again.json().name).toBe(null);
  client.close();
});

test('log-in: the id changes, the old one is dead at once', async () => {
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  const old = client.cookieHeader;
  await client.post('/login', 'user three');
  expect(client.cookieHeader).not.toBe(old);
  const answer = await new Client(cluster.url).get('/api/me', { headers: { cookie: old } });
  expect(answer.json()).toMatchObject({ name: null, count: 0 });
  client.close();
});

test('log-out: the node that answered it is killed: still logged out', async () => {
  const client = await signedIn('user four');
  const cookie = client.cookieHeader;
  const node = String((await client.get('/api/me')).json().node);
  await client.post('/logout');
  await cluster.kill(node);
  const again = await new Client(cluster.url).get('/api/me', { headers: { cookie } });
  expect(again.json().name).toBe(null);
  await cluster.settled();
  client.close();
});

test('forged, garbled and foreign ids: treated as none: no session, no error', async () => {
  const client = await signedIn('user five');
  const id = client.cookies.get('JSESSIONID') ?? '';
  const flipped = (id.startsWith('A') ? 'B' : 'A') + id.slice(1);
  for (const wrong of [
    flipped,
    id.slice(1),
    `${id}A`,
    'x',
    '',
    'n1.abc',
    '"',
    '%00',
    'A'.repeat(40),
    'A'.repeat(4_000),
  ]) {
    const answer = await new Client(cluster.url).get('/api/me', { headers: { cookie: `JSESSIONID=${wrong}` } });
    expect([wrong, answer.status, answer.json().name]).toEqual([wrong, 200, null]);
  }
  client.close();
});

test('no session used: a cookie-less request creates none', async () => {
  const answer = await new Client(cluster.url).get('/');
  expect(answer.headers['set-cookie']).toBe(undefined);
  const reading = await new Client(cluster.url).get('/api/counter');
  expect(reading.headers['set-cookie']).toBe(undefined);
});
