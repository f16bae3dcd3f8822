import { expect, test } from 'vitest';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, startLoad } from './support/load.ts';
import { readStatus } from './support/status.ts';
import { spanOf } from './support/wait-until.ts';

async function operate({ folder, runDir, output }: Cluster, ...words: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runLimpet([...words, '--run-dir', runDir], { folder, timeoutMs: 240_000 });
  if (code !== 0) throw new Error(`limpet ${words.join(' ')}: ${code}: ${stdout}${stderr}\n${output().slice(-3_000)}`);
}

interface Moving {
  readonly node: string;
  readonly kind: string;
  readonly phase: string;
  readonly total: number;
  readonly left: number;
  readonly etaMs: number | null;
}

interface Seen {
  readonly at: number;
  readonly moving: Moving | null;
}

/** What the status says of the move under way, look by look, until `over`. */
async function watch(cluster: Cluster, over: Promise<void>): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const { moving } = (await readStatus(cluster.adminUrl)) as unknown as { moving: Moving | null };
    seen.push({ at: performance.now(), moving });
    await spanOf(50);
  }
  await over;
  return seen;
}

test('operations: 4 nodes become 6, then 3, under load: nothing fails, every node has its share of 6,000 sessions', async () => {
  const cluster = await startCluster();
  const users = await createUsers(cluster.url, 6_000);
  const load = startLoad(users.slice(0, 80), 20);
  const shares = async (): Promise<readonly (readonly [string, number])[]> => {
    await spanOf(1_500); // The figures of the nodes are half a second old.
    return (await cluster.status()).nodes.map(({ id, sessions }) => [id, sessions.primary] as const);
  };
  for (const nodes of [6, 3]) {
    await operate(cluster, 'scale', String(nodes));
    const found = await shares();
    expect(found.map(([id]) => id)).toEqual(Array.from({ length: nodes }, (_, i) => `n${i + 1}`));
    for (const [id, count] of found) {
      expect(Math.abs(count / (6_000 / nodes) - 1), `${id} has ${count} of 6,000 on ${nodes} nodes`).toBeLessThan(0.2);
    }
    expect(found.reduce((sum, [, count]) => sum + count, 0)).toBe(6_000);
  }
  const tally = await load.end();
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] });
  expect(load.otherFailures).toBe(0);
  expect((await cluster.status()).lastDeaths).toEqual([]);
}, 300_000);

test('operations: a drain of one of four nodes with 20,000 sessions: from half-way on the time left is right within ± 50 %', async () => {
  const cluster = await startCluster();
  for (let made = 0; made < 20_000; made += 500) {
    for (const { client } of await createUsers(cluster.url, 500)) client.close();
  }
  await spanOf(1_500);
  const seen = await watch(cluster, operate(cluster, 'drain', 'n2'));
  const first = seen.find(({ moving }) => moving !== null);
  const end = seen.findLast(({ moving }) => moving !== null);
  if (first === undefined || end === undefined) throw new Error('the drain was never seen');
  const half = seen.filter(({ at, moving }) => moving !== null && at >= (first.at + end.at) / 2);
  const table = seen.flatMap(({ at, moving }) =>
    moving === null
      ? []
      : [
          `${Math.round(at - first.at)} ms: ${moving.phase}, ${moving.left} of ${moving.total}, ${moving.etaMs} ms to go`,
        ],
  );
  for (const { at, moving } of half) {
    const trueMs = end.at - at;
    // Below a second the figures, half a second old, say nothing.
    if (trueMs < 1_000) continue;
    expect(
      (moving?.etaMs ?? 0) / trueMs,
      `${Math.round(trueMs)} ms before the end:\n${table.join('\n')}`,
    ).toBeGreaterThan(0.5);
    expect((moving?.etaMs ?? 0) / trueMs, `${Math.round(trueMs)} ms before the end:\n${table.join('\n')}`).toBeLessThan(
      1.5,
    );
  }
}, 300_000);
