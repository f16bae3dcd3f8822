import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from './support/client.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, type Load, startLoad } from './support/load.ts';
import { waitUntil } from './support/wait-until.ts';

/** Runs an operator's command against the cluster; gives what it printed, once it has succeeded. */
async function operate({ folder, runDir, output }: Cluster, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runLimpet([...words, '--run-dir', runDir], { folder, timeoutMs: 90_000 });
  if (code !== 0)
    throw new Error(`limpet ${words.join(' ')}: exit ${code}: ${stdout}${stderr}\n${output().slice(-3_000)}`);
  return stdout;
}

async function expectUnharmed(load: Load): Promise<void> {
  const tally = await load.end();
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] });
  expect(load.otherFailures).toBe(0);
  expect(tally.acknowledged).toBeGreaterThan(100);
}

test('operations: drain, undrain, restart --rolling, scale under load: no request fails, no session is lost', async () => {
  const cluster = await startCluster({ nodes: 3 });
  const load = startLoad(await createUsers(cluster.url, 60), 20);
  const pidOf = async (node: string) => (await cluster.status()).nodes.find(({ id }) => id === node)?.pid ?? null;

  expect(await operate(cluster, 'drain', 'n2')).toMatch(/n2 is drained and down/);
  const drained = await cluster.status();
  expect(drained.nodes.map(({ id, pid, mode }) => [id, pid !== null, mode])).toEqual([
    ['n1', true, 'ready'],
    ['n2', false, 'drain'],
    ['n3', true, 'ready'],
  ]);
  expect(drained.lastDeaths).toEqual([]);

  expect(await operate(cluster, 'undrain', 'n2')).toMatch(/n2 is in the ring/);
  const before = [await pidOf('n1'), await pidOf('n2'), await pidOf('n3')];
  await operate(cluster, 'restart', '--rolling');
  const after = await cluster.status();
  expect(after.nodes.map(({ health, mode }) => [health, mode])).toEqual(Array(3).fill(['alive', 'ready']));
  for (const { pid } of after.nodes) expect(before).not.toContain(pid);

  await operate(cluster, 'scale', '2');
  expect((await cluster.status()).nodes.map(({ id }) => id)).toEqual(['n1', 'n2']);
  expect((await cluster.status()).lastDeaths).toEqual([]);
  await expectUnharmed(load);
}, 120_000);

test('operations: the last node that serves: is not drained, and goes on', async () => {
  const cluster = await startCluster({ nodes: 2 });
  await operate(cluster, 'drain', 'n1');
  const { code, stderr } = await runLimpet(['drain', 'n2', '--run-dir', cluster.runDir], { folder: cluster.folder });
  expect([code, stderr]).toEqual([1, expect.stringContaining('LIMPET_LAST_NODE')]);
  expect((await cluster.status()).nodes.map(({ mode }) => mode)).toEqual(['drain', 'ready']);
  expect((await new Client(cluster.url).get('/api/me')).status).toBe(200);
});

test('operations: a drained node has WebSockets: their clients get 1001 and come anew, to another node', async () => {
  const cluster = await startCluster({ nodes: 2, flags: ['--drain-time', '1s'] });
  const url = new URL('/echo', cluster.url).href.replace(/^http/, 'ws');
  const codes: number[] = [];
  const open = async (): Promise<void> => {
    const socket = new WebSocket(url);
    socket.on('close', (code) => codes.push(code));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  };
  for (let i = 0; i < 8; i += 1) await open();
  await operate(cluster, 'drain', 'n1');
  const first = codes.length;
  expect(first).toBeGreaterThan(0);
  await open();
  await operate(cluster, 'undrain', 'n1');
  await operate(cluster, 'drain', 'n2');
  await waitUntil(() => codes.length === 9, { what: 'all WebSockets to be closed' });
  expect(codes).toEqual(Array(9).fill(1001));
});

test('operations: a node is paused: seen by all, and goes on where it stood', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const before = await cluster.status();
  await operate(cluster, 'pause', 'n1');
  const paused = (await cluster.status()).nodes.map((node) => (node as { paused?: boolean }).paused);
  expect(paused).toEqual([true, false]);
  await operate(cluster, 'resume', 'n1');
  const after = await cluster.settled();
  expect(after.nodes.map(({ pid }) => pid)).toEqual(before.nodes.map(({ pid }) => pid));
});

test('operations: names and numbers that mean nothing: exit 2, or 1 when only the cluster can tell', async () => {
  const cluster = await startCluster({ nodes: 2 });
  const codeOf = async (...words: string[]) =>
    (await runLimpet([...words, '--run-dir', cluster.runDir], { folder: cluster.folder })).code;
  expect(await codeOf('drain', 'two')).toBe(2);
  expect(await codeOf('drain', 'n9')).toBe(1);
  expect(await codeOf('scale', '0')).toBe(2);
  expect(await codeOf('restart')).toBe(2);
});
