import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { createUsers, startLoad } from './support/load.ts';
import { isRunning } from './support/processes.ts';
import { waitUntil } from './support/wait-until.ts';

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
      const before = await waitUntil(
        async () => {
          const now = await cluster.settled();
          return now.nodes.every(({ pid }) => pid !== null && isRunning(pid)) ? now : null;
        },
        { timeout: 30_000, what: 'four living nodes' },
      );
      const answer = await evil.get(`${path}?hit=${hit}`);
      statuses.push(answer.status);
      expect(answer.outcome).toMatch(/^(?:unknown|not-executed|executed)$/);
      // One request takes down at most two workers: two of the four that were there still run.
      const survivors = (before?.nodes ?? []).filter(({ pid }) => pid !== null && isRunning(pid));
      expect(survivors.length).toBeGreaterThanOrEqual(2);
    }
    const after = await cluster.settled();
    const tally = await load.end();
    evil.close();
    // It did kill: each hit that was let through took at least one node.
    const deaths = after.nodes.reduce((sum, { incarnation }) => sum + incarnation - 1, 0);
    expect(deaths).toBeGreaterThanOrEqual(statuses.filter((status) => status === 502).length);
    expect(deaths).toBeGreaterThanOrEqual(2);
    expect(statuses.filter((status) => status !== 502 && status !== 503 && status !== 504)).toEqual([]);
    expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, failedWrites: 0, notes: [] });
    expect(load.otherFailures).toBe(0);
    expect(tally.acknowledged).toBeGreaterThan(200);
  },
  150_000,
);
