import { expect, test } from 'vitest';
import { startCluster } from './support/cluster.ts';
import { createUsers, startLoad } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

test('negative control: sessions without a copy and one kill: the checker reports losses', async () => {
  const cluster = await startCluster({ flags: ['--store', 'memory'] });
  const load = startLoad(await createUsers(cluster.url, 40), 20);
  await waitUntil(() => load.requests > 200, { what: 'the load' });
  await cluster.kill('n2');
  await cluster.settled();
  const tally = await load.end();
  expect(tally.lost).toBeGreaterThan(0);
  expect(tally.doubled).toBe(0);
});
