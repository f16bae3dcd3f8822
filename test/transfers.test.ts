import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { demoApp, Payer, transferThroughKills } from './support/transfers.ts';

test('transfers: 200 under keys through 10 kills, repeated until answered: the sum is right, repetitions are answered alike', async () => {
  const cluster = await startCluster({ app: demoApp });
  const payers = Array.from({ length: 10 }, () => new Payer(cluster.url));
  await Promise.all(payers.map((payer, at) => payer.signIn(`payer ${at}`)));
  const met = await transferThroughKills(cluster, payers, { rounds: 10, each: 2 });
  expect(met).toBeGreaterThan(0);
  // Whatever made a client repeat, it was no lost or doubled answer.
  for (const { repeatedAfter } of payers)
    for (const why of repeatedAfter) expect(why).toMatch(/unknown|not-executed|running/);
  for (const payer of payers) {
    expect(payer.made).toHaveLength(20);
    expect(await payer.balanceCents()).toBe(payer.expectedCents);
    expect(await payer.repeatAll()).toEqual([]);
    expect(await payer.balanceCents()).toBe(payer.expectedCents);
    payer.close();
  }
}, 120_000);
