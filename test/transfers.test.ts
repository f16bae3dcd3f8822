import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { createUsers } from './support/load.ts';
import { demoApp, Payer, sendThroughKills } from './support/transfers.ts';

test('transfers: 200 under keys through 10 kills, repeated until answered: the sum is right, repetitions are answered alike', async () => {
  const cluster = await startCluster({ app: demoApp });
  const payers = Array.from({ length: 10 }, () => new Payer(cluster.url));
  await Promise.all(payers.map((payer, at) => payer.signIn(`payer ${at}`)));
  let met = 0;
  await sendThroughKills(
    cluster,
    10,
    (round) => (payers[round % payers.length] as Payer).node(),
    () => Promise.all(payers.map((payer) => payer.transfers(2))),
    () => {
      if (payers.some(({ isWaiting }) => isWaiting)) met += 1;
    },
  );
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

test('POSTs without a key through 6 kills: each is answered, or told that it ran or cannot be known; what is counted lies in between', async () => {
  const cluster = await startCluster();
  const users = await createUsers(cluster.url, 20);
  const acknowledged = users.map(() => 1);
  const uncertain = users.map(() => 0);
  const outcomes = new Set<string>();
  const post = async (at: number): Promise<void> => {
    const answer = await users[at]?.client.post('/api/counter');
    outcomes.add(`${answer?.status} ${answer?.outcome}`);
    // `executed`: it ran, so it must be in the count like an acknowledged one.
    const hasRun = answer?.status === 200 || answer?.outcome === 'executed';
    const tally = hasRun ? acknowledged : uncertain;
    tally[at] = (tally[at] ?? 0) + 1;
  };
  const nodeOf = async (at: number) => String((await users[at]?.client.get('/api/me'))?.json().node);
  await sendThroughKills(cluster, 6, nodeOf, async () => {
    for (let turn = 0; turn < 3; turn += 1) await Promise.all(users.map((_, at) => post(at)));
  });
  for (const outcome of outcomes) expect(['200 null', '502 unknown', '502 executed']).toContain(outcome);
  for (const [at, { client }] of users.entries()) {
    const { count } = (await client.get('/api/counter')).json();
    expect(count).toBeGreaterThanOrEqual(acknowledged[at] ?? 0);
    expect(count).toBeLessThanOrEqual((acknowledged[at] ?? 0) + (uncertain[at] ?? 0));
    client.close();
  }
  expect(acknowledged.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(300);
}, 120_000);
