import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchOnce } from './support/client.ts';
import { type Cluster, endClusters, startClusterForFile, temporaryFolder } from './support/cluster.ts';
import { waitUntil } from './support/wait-until.ts';

const apps = {
  throws: "throw new Error('no database today');",
  silent: 'setInterval(() => {}, 1000);',
  exits: 'process.exit(3);',
  half: `import { createServer } from 'node:http';
    if (process.env.LIMPET_NODE === 'n2') throw new Error('n2 has no disk');
    createServer((req, res) => res.end('fine')).listen(process.env.PORT);`,
} as const;

type Name = keyof typeof apps;
const clusters = new Map<Name, Cluster>();

// All at once: each waits most of the time, between one start and the next.
beforeAll(async () => {
  for (const [name, text] of Object.entries(apps) as [Name, string][]) {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'app.mjs'), text);
    const flags = name === 'silent' ? ['--ready-timeout', '1s'] : [];
    clusters.set(name, await startClusterForFile({ app: 'app.mjs', folder, nodes: 2, flags, waitReady: false }));
  }
});
afterAll(() => endClusters());

function clusterOf(name: Name): Cluster {
  const cluster = clusters.get(name);
  if (!cluster) throw new Error(`no cluster ${name}`);
  return cluster;
}

const wrong: readonly (readonly [string, Name, RegExp])[] = [
  ['throws at start', 'throws', /no database today|its own error is shown above/],
  ['does not listen', 'silent', /did not listen/],
  ['exits at once', 'exits', /exit 3/],
];

test.each(wrong)('start: an app that %s: says why, gives up, exit 1, no process left', async (_, name, reason) => {
  const cluster = clusterOf(name);
  expect(await cluster.ended(45_000)).toBe(1);
  const last = cluster.events.at(-1);
  expect(last).toMatchObject({ level: 'fatal', code: 'LIMPET_ALL_NODES_FAILED', msg: expect.stringMatching(reason) });
  await waitUntil(() => cluster.pids().length === 0, { what: 'the last process to end' });
});

test('start: an app that throws at start: each node tries 5 times, its own error is shown once', async () => {
  const { events } = clusterOf('throws');
  const shown = events.filter(({ event, msg }) => !event && String(msg).includes('Error: no database today'));
  expect(shown.map(({ level }) => level)).toEqual(['info']);
  const starts = events.filter(({ event }) => event === 'start-failed' || event === 'node-failed');
  expect(starts.filter(({ node }) => node === 'n1')).toHaveLength(5);
  expect(starts.filter(({ node }) => node === 'n2')).toHaveLength(5);
});

test('start: one node of two cannot start: the other serves, status says why', async () => {
  const cluster = clusterOf('half');
  const status = await waitUntil(
    async () => {
      const now = await cluster.status();
      return now.nodes.some(({ givenUp }) => givenUp) ? now : null;
    },
    { timeout: 40_000, what: 'n2 to be given up' },
  );
  expect(status?.nodes.find(({ id }) => id === 'n2')?.reason).toContain('n2 has no disk');
  expect((await fetchOnce(cluster.url)).body).toBe('fine');
});
