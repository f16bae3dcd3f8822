import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { killAtOnce, quiet, survey } from './support/double-failure.ts';
import { createUsers } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

test('two copies, both custodians die at once: fresh sessions, and the count of the lost equals the truth', async () => {
  const cluster = await startCluster();
  const users = await createUsers(cluster.url, 200);
  await quiet(cluster, 200);
  await killAtOnce(cluster, ['n2', 'n3']);
  await cluster.settled();
  const truth = await survey(users);
  // Of 200 sessions on 4 nodes about 33 have n2 and n3 as their two homes.
  expect(truth.fresh).toBeGreaterThan(0);
  expect(truth).toEqual({ kept: 200 - truth.fresh, fresh: truth.fresh, failed: 0, strange: 0 });
  const reports = await waitUntil(
    () => {
      const found = cluster.events.filter(({ event }) => event === 'death');
      return found.length === 2 ? found : null;
    },
    { what: 'both death reports' },
  );
  const told = reports?.map(({ lost }) => Number(lost)).reduce((sum, lost) => sum + lost, 0);
  expect(told).toBe(truth.fresh);
  expect(reports?.map(({ lostIsExact }) => lostIsExact)).toEqual([true, true]);
  expect(reports?.map(({ msg }) => msg).join('\n')).toContain(`lost ${truth.fresh}`);
  const status = await waitUntil(
    async () => {
      const now = await cluster.status();
      return now.unheld === truth.fresh ? now : null;
    },
    { what: 'the sessions that users came back for to be counted' },
  );
  expect(status).toMatchObject({ lost: truth.fresh, lostIsExact: true });
});

test('three copies, two nodes die at once: nothing is lost', async () => {
  const cluster = await startCluster({ flags: ['--copies', '3'] });
  const users = await createUsers(cluster.url, 100);
  await quiet(cluster, 100);
  await killAtOnce(cluster, ['n1', 'n4']);
  await cluster.settled();
  expect(await survey(users)).toEqual({ kept: 100, fresh: 0, failed: 0, strange: 0 });
  expect(await cluster.status()).toMatchObject({ lost: 0, unheld: 0 });
});

test('one copy: the start says that a death loses sessions', async () => {
  const cluster = await startCluster({ nodes: 2, flags: ['--copies', '1'] });
  const ready = cluster.events.find(({ event }) => event === 'ready');
  expect(ready?.msg).toContain('copies 1: sessions die with their node');
});
