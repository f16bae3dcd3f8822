import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { createUsers, startLoad } from './support/load.ts';
import { isRunning } from './support/processes.ts';

const routes: readonly (readonly [string, string])[] = [
  ['calls process.exit(1)', '/exit'],
  ['throws asynchronously', '/throw-async'],
];

test.each(routes)(
  'query of death: a GET route that %s, 20 times: nobody else loses anything',
  async (_, path) => {
    const cluster = await startCluster();
    const load = startLoad(await createUsers(cluster.url, 100), 100);
    const evil = new Client(cluster.url);
    const statuses: number[] = [];
    for (let hit = 0; hit < 20; hit += 1) {
      const before = await cluster.settled();
      const answer = await evil.get(path);
      statuses.push(answer.status);
      expect(answer.outcome).toMatch(/^(?:unknown|not-executed|executed)$/);
      // One request takes down at most two workers: two of the four that were there still run.
      const survivors = before.nodes.filter(({ pid }) => pid !== null && isRunning(pid));
      expect(survivors.length).toBeGreaterThanOrEqual(2);
    }
    await cluster.settled();
    const tally = await load.end();
    evil.close();
    expect(statuses.filter((status) => status !== 502 && status !== 503 && status !== 504)).toEqual([]);
    expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, failedWrites: 0, notes: [] });
    expect(load.otherFailures).toBe(0);
    expect(tally.acknowledged).toBeGreaterThan(200);
  },
  150_000,
);
