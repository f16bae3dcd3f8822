import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkAll, eventOf, killSupervisor, pidsOf, startAgain } from './support/adoption.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, startLoad } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

const operate = async (cluster: Cluster, ...words: readonly string[]) => {
  const { code, stderr } = await runLimpet([...words, '--run-dir', cluster.runDir], { timeoutMs: 60_000 });
  expect([code, stderr]).toEqual([0, '']);
};
const modesOf = async (cluster: Cluster) => (await cluster.status()).nodes.map(({ id, mode }) => `${id} ${mode}`);

/** The newest view on disk. */
const newestOf = (cluster: Cluster): string =>
  readFileSync(join(cluster.runDir, 'views.json'), 'utf8').trimEnd().split('\n').at(-1) ?? '';

test('supervisor killed after a drain and a scale: what was wished goes on, and can be taken back', async () => {
  const first = await startCluster();
  const users = await createUsers(first.url, 30);
  await operate(first, 'scale', '5');
  await operate(first, 'drain', 'n2');
  await killSupervisor(first);
  const second = await startAgain(first, { waitReady: false });
  await waitUntil(() => eventOf(second, 'ready'), { what: 'the second start' });
  expect(await modesOf(second)).toEqual(['n1 ready', 'n2 drain', 'n3 ready', 'n4 ready', 'n5 ready']);
  expect(eventOf(second, 'adopted')?.differences).toEqual([]);
  await checkAll(users);
  await operate(second, 'undrain', 'n2');
  await waitUntil(async () => (await second.status()).nodes.every(({ health }) => health === 'alive'));
  await checkAll(users);
});

test('supervisor killed in the middle of a drain with 3,000 sessions: it is finished, nothing is lost', async () => {
  const first = await startCluster();
  const users = await createUsers(first.url, 3_000);
  const drain = runLimpet(['drain', 'n3', '--run-dir', first.runDir], { timeoutMs: 60_000 });
  // The joint view is there first, then the wish: a supervisor that dies in between has promised nothing.
  await waitUntil(() => existsSync(join(first.runDir, 'wishes.json')), { every: 1, what: 'the wish' });
  await killSupervisor(first);
  const isJoint = !newestOf(first).includes('"next":null');
  await drain;
  const second = await startAgain(first, { waitReady: false });
  await waitUntil(() => eventOf(second, 'ready'), { what: 'the second start' });
  await waitUntil(async () => (await second.status()).nodes[2]?.pid === null, { timeout: 60_000, what: 'the drain' });
  expect(isJoint).toBe(true);
  expect(await modesOf(second)).toEqual(['n1 ready', 'n2 ready', 'n3 drain', 'n4 ready']);
  for (let from = 0; from < users.length; from += 100) await checkAll(users.slice(from, from + 100));
});

test('supervisor killed in the middle of a rolling restart under load: it is finished by the next one', async () => {
  const first = await startCluster();
  const load = startLoad(await createUsers(first.url, 40), 10);
  const before = await pidsOf(first);
  const restart = runLimpet(['restart', '--rolling', '--run-dir', first.runDir], { timeoutMs: 60_000 });
  await waitUntil(async () => (await pidsOf(first)).some((pid) => !before.includes(pid)), {
    what: 'the first new one',
  });
  await killSupervisor(first);
  await restart;
  const second = await startAgain(first);
  await waitUntil(async () => (await pidsOf(second)).every((pid) => pid !== null && !before.includes(pid)), {
    timeout: 60_000,
    what: 'every worker to be a new one',
  });
  await second.settled(30_000);
  expect(await load.end()).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, notes: [] });
});
