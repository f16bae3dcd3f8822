import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { killAtOnce, quiet, survey } from './support/double-failure.ts';
import { createUsers, type User } from './support/load.ts';

const pairs = [
  ['n1', 'n2'],
  ['n3', 'n4'],
  ['n1', 'n3'],
  ['n2', 'n4'],
  ['n1', 'n4'],
  ['n2', 'n3'],
] as const;
const pairOf = (round: number): readonly string[] => pairs[round % pairs.length] ?? pairs[0];

test('three copies, 20 times two nodes at once: nothing is lost', async () => {
  const cluster = await startCluster({ flags: ['--copies', '3'] });
  const users = await createUsers(cluster.url, 300);
  await quiet(cluster, 300);
  for (let round = 0; round < 20; round += 1) {
    await cluster.settled();
    await killAtOnce(cluster, pairOf(round));
    expect(await survey(users), `round ${round}, while it fails over`).toEqual({
      kept: 300,
      fresh: 0,
      failed: 0,
      strange: 0,
    });
    await cluster.settled();
    expect(await survey(users), `round ${round}`).toEqual({ kept: 300, fresh: 0, failed: 0, strange: 0 });
  }
  expect(await cluster.status()).toMatchObject({ lost: 0, unheld: 0 });
}, 300_000);

test('two copies, six times two nodes at once: every count is the truth', async () => {
  const cluster = await startCluster();
  const users: User[] = [];
  let lost = 0;
  for (let round = 0; round < pairs.length; round += 1) {
    users.push(...(await createUsers(cluster.url, 100)));
    await quiet(cluster, users.length - lost);
    await killAtOnce(cluster, pairOf(round));
    await cluster.settled();
    const { fresh, failed, strange } = await survey(users);
    expect({ failed, strange, more: fresh > lost }, `round ${round}`).toEqual({ failed: 0, strange: 0, more: true });
    lost = fresh;
    await quiet(cluster, users.length - lost);
    // `unheld` is no measure here: each node counts a lost session for itself, and every round asks for all of them.
    expect(await cluster.status(), `round ${round}`).toMatchObject({ lost, lostIsExact: true });
  }
}, 300_000);
