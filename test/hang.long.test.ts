import { expect, test } from 'vitest';
import { type Cluster, type LogLine, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, startLoad, type User } from './support/load.ts';
import { isRunning } from './support/processes.ts';
import { spanOf, waitUntil } from './support/wait-until.ts';

const nodes = ['n1', 'n2', 'n3', 'n4'];
/** What no pause and no death may cause. A write that was in flight at a node when it died may be `unknown`. */
const nothingLost = { failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] };

const changes = (cluster: Cluster, change: string): readonly LogLine[] =>
  cluster.events.filter((line) => line.event === 'health' && line.change === change);

async function pidOf(cluster: Cluster, node: string): Promise<number> {
  const pid = (await cluster.status()).nodes.find(({ id }) => id === node)?.pid;
  if (!pid) throw new Error(`${node} has no process`);
  return pid;
}

/** Stops the worker of a node for a span of time; whether it lived to see its end. */
async function pause(cluster: Cluster, node: string, ms: number): Promise<boolean> {
  const pid = await cluster.kill(node, 'SIGSTOP');
  await spanOf(ms);
  if (!isRunning(pid)) return false;
  process.kill(pid, 'SIGCONT');
  return true;
}

/** The users whose sessions live elsewhere. */
async function usersNotOn(node: string, users: readonly User[]): Promise<readonly User[]> {
  const at = await Promise.all(users.map(async ({ client }) => (await client.get('/api/me')).json().node));
  return users.filter((_, index) => at[index] !== node);
}

test('pauses of 50 ms, 0.9 s, 2 s and 5 s, on each node, under load: only the last kind kills, nothing is lost', async () => {
  const cluster = await startCluster();
  const load = startLoad(await createUsers(cluster.url, 60), 10);
  const before = await cluster.status();
  for (const ms of [50, 900, 2_000]) {
    for (const node of nodes) {
      expect(await pause(cluster, node, ms), `${node} for ${ms} ms`).toBe(true);
      await waitUntil(async () => (await cluster.status()).nodes.every(({ health }) => health === 'alive'));
    }
  }
  expect((await cluster.status()).nodes).toMatchObject(before.nodes.map(({ pid }) => ({ pid })));
  expect(changes(cluster, 'kill')).toEqual([]);
  for (const node of nodes) {
    const pid = await pidOf(cluster, node);
    expect(await pause(cluster, node, 5_000), `${node} for 5 s`).toBe(false);
    await waitUntil(async () => (await pidOf(cluster, node)) !== pid, { what: `${node} to be started again` });
    await cluster.settled(30_000);
  }
  expect(await load.end()).toMatchObject(nothingLost);
  expect(load.otherFailures).toBe(0);
  expect(changes(cluster, 'kill').map(({ node }) => node)).toEqual(nodes);
}, 240_000);

test('a buddy stops for good: writes of the other nodes wait until it is replaced, and every one of them succeeds', async () => {
  const cluster = await startCluster();
  const users = await usersNotOn('n2', await createUsers(cluster.url, 60));
  const load = startLoad(users, 10);
  const pid = await cluster.kill('n2', 'SIGSTOP');
  const began = performance.now();
  const answers = await Promise.all(users.map(({ client }) => client.post('/append', 'x')));
  // One third of these sessions has its buddy there: some write must have waited for its death.
  expect(performance.now() - began).toBeGreaterThan(2_500);
  expect(answers.map(({ status }) => status)).toEqual(users.map(() => 200));
  expect(isRunning(pid)).toBe(false);
  expect(await load.end()).toMatchObject({ ...nothingLost, unknown: 0 });
}, 120_000);

test('pauses while nodes die and join: a worker that slept through views answers nobody wrongly', async () => {
  const cluster = await startCluster();
  const load = startLoad(await createUsers(cluster.url, 60), 5);
  for (let round = 0; round < 12; round += 1) {
    const [victim = '', sleeper = ''] = [nodes[round % 4], nodes[(round + 1) % 4]];
    const pid = await pidOf(cluster, victim);
    // Now before the death is known, now right after it, now during the join.
    if (round % 3 === 0) {
      const slept = pause(cluster, sleeper, 700);
      await cluster.kill(victim);
      await slept;
    } else {
      const { view } = await cluster.status();
      await cluster.kill(victim);
      const views = round % 3;
      await waitUntil(async () => ((await cluster.status()).view?.number ?? 0) >= (view?.number ?? 0) + views, {
        every: 2,
      });
      await pause(cluster, sleeper, 700);
    }
    await waitUntil(async () => (await pidOf(cluster, victim).catch(() => pid)) !== pid, { what: `${victim} again` });
    await cluster.settled(30_000);
  }
  expect(await load.end()).toMatchObject(nothingLost);
  expect(load.otherFailures).toBe(0);
  expect(changes(cluster, 'kill')).toEqual([]);
}, 240_000);

test('the supervisor stops and goes on, alone and with everyone else: nobody is killed for it', async () => {
  const cluster = await startCluster();
  const { supervisor, nodes: before, view } = await cluster.status();
  const load = startLoad(await createUsers(cluster.url, 40), 10);
  process.kill(supervisor.pid, 'SIGSTOP');
  await spanOf(8_000);
  process.kill(supervisor.pid, 'SIGCONT');
  await waitUntil(() => cluster.status(), { what: 'the supervisor to answer' });
  const all = [supervisor.pid, ...before.map(({ pid }) => Number(pid))];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  await spanOf(8_000);
  for (const pid of all) process.kill(pid, 'SIGCONT');
  // Longer than any silence that was counted before could need to kill.
  await spanOf(4_000);
  expect(await load.end()).toMatchObject({ ...nothingLost, unknown: 0 });
  const after = await cluster.settled();
  expect(after.view).toEqual(view);
  expect(after.nodes.map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
  expect(changes(cluster, 'kill')).toEqual([]);
}, 120_000);

test('a worker stops while the supervisor is stopped too: it has its full time once the supervisor runs again', async () => {
  const cluster = await startCluster();
  const { supervisor } = await cluster.status();
  const pid = await pidOf(cluster, 'n1');
  process.kill(supervisor.pid, 'SIGSTOP');
  process.kill(pid, 'SIGSTOP');
  await spanOf(5_000);
  process.kill(supervisor.pid, 'SIGCONT');
  const wokeAt = performance.now();
  await waitUntil(() => !isRunning(pid), { what: 'the worker to be killed' });
  expect(performance.now() - wokeAt).toBeGreaterThan(2_900);
}, 60_000);

test('a node was drained some seconds ago, another one stops: it is killed, and the drained one is not waited for', async () => {
  const cluster = await startCluster();
  const { code, stderr } = await runLimpet(['drain', 'n4', '--run-dir', cluster.runDir], { folder: cluster.folder });
  expect(code, stderr).toBe(0);
  // Longer than a silence that confirms a hang.
  await spanOf(4_000);
  const pid = await pidOf(cluster, 'n2');
  expect(await pause(cluster, 'n2', 6_000)).toBe(false);
  await waitUntil(async () => (await pidOf(cluster, 'n2')) !== pid, { what: 'n2 to be started again' });
  const said = cluster.events.filter(({ event, node }) => event === 'health' && node === 'n4');
  expect(said).toEqual([]);
}, 120_000);
