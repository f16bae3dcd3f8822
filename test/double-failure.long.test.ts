import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { killAtOnce, quiet, survey } from './support/double-failure.ts';
import { createUsers } from './support/load.ts';

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
    await cluster.settled();
    expect(await survey(users), `round ${round}`).toEqual({ kept: 300, fresh: 0, failed: 0, strange: 0 });
  }
  expect(await cluster.status()).toMatchObject({ lost: 0, unheld: 0 });
}, 300_000);

test('two copies, six times two nodes at once: every count is the truth', async () => {
  const cluster = await startCluster();
  let lost = 0;
  for (let round = 0; round < pairs.length; round += 1) {
    const before = (await cluster.status()).nodes.reduce((sum, { sessions }) => sum + sessions.primary, 0);
    const users = await createUsers(cluster.url, 200);
    await quiet(cluster, before + 200);
    await killAtOnce(cluster, pairOf(round));
    await cluster.settled();
    const { fresh } = await survey(users);
    expect(fresh, `round ${round}`).toBeGreaterThan(0);
    // Sessions of former rounds are lost, too: what is left of them is counted by the nodes.
    await quiet(cluster, before + 200 - ((await cluster.status()).lost - lost));
    const status = await cluster.status();
    expect(status).toMatchObject({ lostIsExact: true });
    expect(status.lost - lost, `round ${round}`).toBeGreaterThanOrEqual(fresh);
    lost = status.lost;
  }
}, 300_000);
