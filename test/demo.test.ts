import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Answer, Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';

const demoApp = fileURLToPath(new URL('../packages/demo/dist/app.js', import.meta.url));

/** What every answer of somebody signed in says. */
interface Facts {
  readonly node: string;
  readonly warm: boolean;
  readonly told: string;
  readonly moved: string | null;
  readonly balanceCents: number;
}

const post = (client: Client, path: string, body: object, headers: { [name: string]: string } = {}): Promise<Answer> =>
  client.post(path, JSON.stringify(body), { headers: { 'content-type': 'application/json', ...headers } });

test('demo: signed in, overview from the ledger, the node is killed: the next answer is warm, on another node, the same balance', async () => {
  const cluster = await startCluster({ app: demoApp });
  const client = new Client(cluster.url);
  expect((await post(client, '/api/sign-in', { account: 'user one' })).status).toBe(200);

  const cold = (await client.get('/api/balance')).json<Facts & { [key: string]: unknown }>();
  expect(cold.warm).toBe(false);
  expect(cold.told).toMatch(/^cold: 2\d\d ms, from the ledger|^cold: [3-9]\d\d ms, from the ledger/);
  const warm = (await client.get('/api/balance')).json<Facts & { [key: string]: unknown }>();
  expect([warm.warm, warm.node, warm.balanceCents]).toEqual([true, cold.node, cold.balanceCents]);

  await cluster.kill(warm.node);
  const after = (await client.get('/api/balance')).json<Facts & { [key: string]: unknown }>();
  expect([after.warm, after.balanceCents]).toEqual([true, cold.balanceCents]);
  expect(after.node).not.toBe(warm.node);
  expect(after.moved).toMatch(new RegExp(`^${warm.node} died .*you are on ${after.node} now$`));
  client.close();
});

test('demo: a transfer is repeated with the same Idempotency-Key after a kill: made once', async () => {
  const cluster = await startCluster({ app: demoApp });
  const client = new Client(cluster.url);
  await post(client, '/api/sign-in', { account: 'user two' });
  const before = (await client.get('/api/balance')).json<Facts & { [key: string]: unknown }>();
  const order = { payee: 'Corner Bakery', amount: '12.34' };
  const key = { 'idempotency-key': 'order-1' };
  const first = await post(client, '/api/transfer', order, key);
  expect([first.status, first.json().repeated]).toEqual([200, false]);
  await cluster.kill(before.node);
  // Sent while the node dies: whoever serves the session next knows the key and its answer.
  const second = await post(client, '/api/transfer', order, key);
  expect([second.status, second.body]).toEqual([200, first.body]);
  const other = await post(client, '/api/transfer', { ...order, amount: '12.35' }, key);
  expect([other.status, other.json().code]).toEqual([422, 'LIMPET_KEY_REUSED']);
  const after = (await client.get('/api/balance')).json<Facts & { [key: string]: unknown }>();
  expect(after.balanceCents).toBe(before.balanceCents - 1_234);
  client.close();
});
