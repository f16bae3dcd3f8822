import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { type Cluster, endClusters, type LogLine, startClusterForFile } from './support/cluster.ts';
import { createUsers, startLoad } from './support/load.ts';
import { isRunning } from './support/processes.ts';
import { waitUntil } from './support/wait-until.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startClusterForFile({ flags: ['--hang-kill', '2s'] });
});
afterAll(() => endClusters());

const nodes = ['n1', 'n2', 'n3', 'n4'];
const said = (change: string, node: string, since = 0): readonly LogLine[] =>
  cluster.events.slice(since).filter((line) => line.event === 'health' && line.change === change && line.node === node);

const healthOf = async (node: string): Promise<string | undefined> =>
  (await cluster.status()).nodes.find(({ id }) => id === node)?.health;

test('a slow machine: all workers stop together for longer than a kill takes: nobody is killed, nothing is lost', async () => {
  const before = await cluster.status();
  const load = startLoad(await createUsers(cluster.url, 20), 10);
  await waitUntil(() => load.requests > 200, { what: 'the load to run' });
  for (const node of nodes) await cluster.kill(node, 'SIGSTOP');
  for (const node of nodes) await waitUntil(() => said('spared', node).length > 0, { what: `${node} to be spared` });
  for (const node of nodes) await cluster.kill(node, 'SIGCONT');
  const reached = load.requests + 400;
  await waitUntil(() => load.requests > reached, { what: 'the load to go on' });
  const tally = await load.end();
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, unknown: 0, failedWrites: 0 });
  const after = await cluster.settled();
  expect(after.nodes.map(({ pid }) => pid)).toEqual(before.nodes.map(({ pid }) => pid));
  expect(after.view).toEqual(before.view);
});

test('a worker stops for good: suspect, no new sessions, killed, its users go on with everything they wrote', async () => {
  const since = cluster.events.length;
  const load = startLoad(await createUsers(cluster.url, 40), 10);
  await waitUntil(() => load.requests > 200, { what: 'the load to run' });
  const pid = await cluster.kill('n2', 'SIGSTOP');
  await waitUntil(async () => (await healthOf('n2')) === 'suspect', { what: 'n2 to be suspect' });
  const { nodes: shown } = await cluster.status();
  expect(shown.find(({ id }) => id === 'n2')?.reason).toMatch(/^its process has been silent for [0-9.]+ s$/);
  const newcomers = await Promise.all(
    Array.from({ length: 20 }, () => new Client(cluster.url).get('/')).map(async (got) => (await got).json().node),
  );
  expect(newcomers).not.toContain('n2');
  await waitUntil(() => !isRunning(pid), { what: 'the stopped worker to be killed' });
  const status = await cluster.settled(30_000);
  const tally = await load.end();
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] });
  expect(load.otherFailures).toBe(0);
  expect(said('suspect', 'n2', since)).toHaveLength(1);
  expect(said('kill', 'n2', since)).toHaveLength(1);
  expect(status.lastDeaths.at(-1)?.how).toMatch(/^killed, its process has been silent for 3\.[0-9] s$/);
});

test('a loop blocks for longer than the hang limit: killed, its sessions go on, the request that did it hangs no third', async () => {
  const since = cluster.events.length;
  const user = new Client(cluster.url);
  const node = String((await user.post('/api/counter')).json().node);
  const blocking = new Client(cluster.url).get('/block?ms=40000', { headers: { cookie: user.cookieHeader } });
  await waitUntil(() => said('suspect', node, since).length > 0, { what: `${node} to be suspect` });
  expect(said('suspect', node, since)[0]?.clock).toBe('loop');
  const answer = await user.get('/api/counter');
  expect([answer.status, answer.json().count]).toEqual([200, 1]);
  expect(said('kill', node, since)[0]?.message).toMatch(/its loop has been blocked for 2\.[0-9] s$/);
  const hung = await blocking;
  expect([hung.status, hung.outcome]).toEqual([502, 'unknown']);
  await cluster.settled(30_000);
  expect(nodes.flatMap((name) => said('kill', name, since))).toHaveLength(2);
  // P21: a session that ended two nodes is refused for a minute.
  expect((await user.get('/api/counter')).status).toBe(503);
});
