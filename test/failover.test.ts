import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tallyOf } from './support/checker.ts';
import { startCluster, temporaryFolder } from './support/cluster.ts';
import { createUsers, readOnce, startLoad, type User } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

test('failover: 20 kills under a closed loop of 100 sessions: no failed read, nothing lost, nothing doubled', async () => {
  const cluster = await startCluster();
  const load = startLoad(await createUsers(cluster.url, 100));
  const killed: number[] = [];
  for (let round = 0; round < 20; round += 1) {
    const before = load.requests;
    await waitUntil(() => load.requests > before + 300, { what: 'the load to go on' });
    killed.push(await cluster.kill(`n${(round % 4) + 1}`));
    const status = await cluster.settled(30_000);
    expect(status.nodes.map(({ pid }) => pid)).not.toContain(killed.at(-1));
  }
  const tally = await load.end();
  expect(new Set(killed).size).toBe(20);
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] });
  expect(load.otherFailures).toBe(0);
  expect(tally.acknowledged).toBeGreaterThan(2_000);
  expect((await cluster.status()).nodes.map(({ incarnation }) => incarnation)).toEqual([6, 6, 6, 6]);
}, 240_000);

/** Asks every user's node; how many sessions each node answered for. */
async function whereTheyAre(users: readonly User[]): Promise<ReadonlyMap<User, string>> {
  const where = new Map<User, string>();
  for (let from = 0; from < users.length; from += 50) {
    await Promise.all(
      users.slice(from, from + 50).map(async (user) => {
        where.set(user, String((await user.client.get('/api/me')).json().node));
      }),
    );
  }
  return where;
}

const countOf = (where: Iterable<string>, node: string): number => [...where].filter((at) => at === node).length;

test('failover: one of four nodes with 2,400 sessions is killed: the survivors share its users, and give them back', async () => {
  const hold = join(temporaryFolder(), 'hold');
  const cluster = await startCluster({ env: { HOLD_FILE: hold } });
  const users = await createUsers(cluster.url, 2_400);
  const before = await whereTheyAre(users);

  writeFileSync(hold, 'n2');
  await cluster.kill('n2');
  const during = await whereTheyAre(users);
  const orphans = users.filter((user) => before.get(user) === 'n2');
  for (const survivor of ['n1', 'n3', 'n4']) {
    const taken = orphans.filter((user) => during.get(user) === survivor).length / orphans.length;
    expect(taken, `${survivor} took`).toBeGreaterThan(0.25);
    expect(taken, `${survivor} took`).toBeLessThan(0.42);
  }
  const stayed = users.filter((user) => before.get(user) !== 'n2');
  expect(stayed.filter((user) => during.get(user) !== before.get(user))).toEqual([]);

  rmSync(hold);
  await cluster.settled();
  const after = [...(await whereTheyAre(users)).values()];
  for (const node of ['n1', 'n2', 'n3', 'n4']) {
    const share = countOf(after, node) / users.length;
    expect(Math.abs(share - 0.25), `${node} has ${share}`).toBeLessThan(0.04);
  }
  for (let from = 0; from < users.length; from += 50) await Promise.all(users.slice(from, from + 50).map(readOnce));
  expect(tallyOf(users.map(({ check }) => check))).toMatchObject({ acknowledged: 2_400, failedReads: 0, lost: 0 });
  const counted = await waitUntil(
    async () => {
      const { nodes } = await cluster.status();
      const sum = nodes.reduce((total, { sessions }) => total + sessions.primary, 0);
      return sum === 2_400 ? nodes : null;
    },
    { what: 'status to count 2,400 sessions' },
  );
  expect(counted?.map(({ id, sessions }) => [id, sessions.primary])).toEqual(
    ['n1', 'n2', 'n3', 'n4'].map((node) => [node, countOf(after, node)]),
  );
});
