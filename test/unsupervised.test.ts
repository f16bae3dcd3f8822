import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { waitUntil } from './support/wait-until.ts';

let cluster: Cluster;
const command = (...words: readonly string[]) => runLimpet([...words, '--run-dir', cluster.runDir]);
beforeAll(async () => {
  cluster = await startClusterForFile({ balancers: 2 });
});
afterAll(() => endClusters());

test('balancer killed: the port never refuses, a new balancer takes its place', async () => {
  const { balancers } = await cluster.settled();
  const first = balancers[0];
  if (first === undefined || first.pid === null) throw new Error('no balancer');
  process.kill(first.pid, 'SIGKILL');
  const statuses: number[] = [];
  for (let i = 0; i < 50; i += 1) {
    // A connection of its own each time: it is accepted by whoever lives.
    const client = new Client(cluster.url);
    statuses.push((await client.get('/')).status);
    client.close();
  }
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  const isReplaced = async () => {
    const now = (await cluster.status()).balancers;
    return now.length === 2 && now.every(({ pid }) => pid !== first.pid);
  };
  await waitUntil(isReplaced, { timeout: 10_000, what: 'a second balancer' });
});

test('supervisor killed: traffic goes on, status says who still serves, stop ends them all', async () => {
  const { supervisor } = await cluster.settled();
  const client = new Client(cluster.url);
  await client.post('/api/counter');
  process.kill(supervisor.pid, 'SIGKILL');
  await waitUntil(async () => (await command('status')).code === 1, { timeout: 10_000, what: 'its end' });
  expect((await client.post('/api/counter')).json().count).toBe(2);
  const { stderr } = await command('status');
  expect(stderr).toMatch(/LIMPET_UNSUPERVISED/);
  expect(stderr).toMatch(/n1 \d+/);
  const left = await command('status', '--json');
  expect(left.code).toBe(1);
  const nodes = ['n1', 'n2', 'n3', 'n4'].map((id) => expect.objectContaining({ id, health: 'alive', incarnation: 1 }));
  expect(JSON.parse(left.stdout)).toMatchObject({
    view: { term: 1 },
    url: cluster.url,
    supervisor: null,
    nodes,
    error: { code: 'LIMPET_UNSUPERVISED' },
  });
  const stopped = await command('stop');
  expect([stopped.code, stopped.stdout]).toEqual([0, expect.stringMatching(/the supervisor was gone; ended .*n1/)]);
  expect(cluster.pids()).toEqual([]);
  await expect(fetch(cluster.url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  client.close();
});
