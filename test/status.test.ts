import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fetchOnce } from './support/client.ts';
import { startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, readOnce } from './support/load.ts';
import type { DeathFigures } from './support/status.ts';
import { waitUntil } from './support/wait-until.ts';

test('status: a death: the line, status and the command tell the same measured figures', async () => {
  const cluster = await startCluster();
  const users = await createUsers(cluster.url, 200);
  const before = await waitUntil(
    async () => {
      const now = await cluster.status();
      return now.nodes.reduce((sum, { sessions }) => sum + sessions.primary, 0) === 200 ? now : null;
    },
    { what: 'status to count 200 sessions' },
  );
  const theirs = before?.nodes.find(({ id }) => id === 'n2')?.sessions.primary;
  const killed = await runLimpet(['kill', 'n2', '--json', '--run-dir', cluster.runDir]);
  expect(killed.code).toBe(0);
  await cluster.settled();
  const line = await waitUntil(() => cluster.events.find(({ event }) => event === 'death'), { what: 'the death line' });
  const told = line as unknown as DeathFigures & { readonly msg: string };
  const status = (await cluster.status()).lastDeaths.at(-1);
  expect(status).toMatchObject({ node: 'n2', how: 'SIGKILL', sessions: theirs });
  for (const key of ['node', 'sessions', 'took', 'servedAfterMs', 'copiesAfterMs', 'backAfterMs'] as const) {
    expect([key, told[key]]).toEqual([key, status?.[key]]);
  }
  expect(Object.values(told.took).reduce((sum, count) => sum + count, 0)).toBe(theirs);
  expect(told.msg).toContain(`n2 died (SIGKILL) · ${theirs} sessions`);
  expect(told.servedAfterMs).toBeLessThan(1_000);
  for (const user of users) await readOnce(user);
  expect(users.filter(({ check }) => check.lost > 0 || check.failedReads > 0)).toEqual([]);
});

test('status: the table, the JSON and the admin port: one truth, no secret in any line', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const [user] = await createUsers(cluster.url, 1);
  const id = user?.client.cookies.get('JSESSIONID') ?? 'none';
  const table = await runLimpet(['status', '--run-dir', cluster.runDir]);
  expect(table.code).toBe(0);
  const status = await cluster.settled();
  for (const node of status.nodes) expect(table.stdout).toContain(`${node.id} `);
  const page = await fetchOnce(cluster.adminUrl);
  expect([page.status, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
  expect(page.body).toContain('n2');
  await cluster.kill('n1');
  await cluster.settled();
  const logs = join(cluster.runDir, 'logs');
  const written = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
  for (const text of [...written, cluster.output(), table.stdout, page.body]) expect(text).not.toContain(id);
});
