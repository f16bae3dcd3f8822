import { expect, test } from 'vitest';
import { killSupervisor, startAgain } from './support/adoption.ts';
import { type Cluster, startCluster } from './support/cluster.ts';
import { runLimpet } from './support/command.ts';
import { createUsers, startLoad } from './support/load.ts';
import { isRunning } from './support/processes.ts';
import { waitUntil } from './support/wait-until.ts';

const pidsOf = async (cluster: Cluster) => {
  const { nodes, balancers } = await cluster.status();
  return [...nodes, ...balancers].map(({ pid }) => Number(pid));
};
const isFree = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => false,
    (error: { cause?: { code?: string } }) => error.cause?.code === 'ECONNREFUSED',
  );

test('supervisor killed, a node dies, another start: adopted, failed over; then everything works that worked before', async () => {
  const first = await startCluster({ balancers: 1 });
  const before = await first.settled();
  const users = await createUsers(first.url, 40);
  const load = startLoad(users, 5);
  await killSupervisor(first);
  const dead = Number(before.nodes[1]?.pid);
  process.kill(dead, 'SIGKILL');
  await waitUntil(() => !isRunning(dead), { what: 'the death of n2' });

  const second = await startAgain(first);
  expect(second.url).toBe(first.url);
  const adopted = second.events.find(({ event }) => event === 'adopted');
  expect(adopted).toMatchObject({ term: 2, nodes: ['n1', 'n3', 'n4'], balancers: ['b1'], differences: [] });
  const after = await second.settled();
  expect(after.view?.term).toBe(2);
  const stayed = (status: typeof before) => [0, 2, 3].map((at) => status.nodes[at]?.pid);
  expect(stayed(after)).toEqual(stayed(before));
  expect(after.nodes.map(({ incarnation }) => incarnation)).toEqual([1, 2, 1, 1]);
  expect(after.balancers[0]?.pid).toBe(before.balancers[0]?.pid);
  expect(after.lastDeaths).toMatchObject([{ node: 'n2', incarnation: 1, how: 'while there was no supervisor' }]);

  // A worker is replaced.
  const worker = await second.kill('n3');
  const replaced = await second.settled();
  expect(replaced.nodes[2]).toMatchObject({ incarnation: 2 });
  expect(replaced.nodes[2]?.pid).not.toBe(worker);

  const tally = await load.end();
  expect(tally).toMatchObject({ failedReads: 0, lost: 0, doubled: 0, refused: 0, failedWrites: 0, notes: [] });
  expect(tally.acknowledged).toBeGreaterThan(200);

  // The only balancer is replaced, twice, and the port never refuses.
  for (const round of [2, 3]) {
    const balancer = Number((await second.status()).balancers[0]?.pid);
    process.kill(balancer, 'SIGKILL');
    await waitUntil(
      async () => {
        const { status } = await fetch(first.url, { headers: { connection: 'close' } });
        expect(status).toBe(200);
        return (await second.status()).balancers[0]?.pid !== balancer && !isRunning(balancer);
      },
      { what: `balancer ${round}` },
    );
    await waitUntil(async () => (await second.status()).balancers[0]?.pid !== null);
  }

  // Nodes are added and taken away, and all are started anew, while users work.
  const command = async (...words: readonly string[]) => {
    const options = { timeoutMs: 60_000 };
    const { code, stdout, stderr } = await runLimpet([...words, '--run-dir', second.runDir], options);
    expect([code, stderr], stdout).toEqual([0, '']);
  };
  const again = startLoad(await createUsers(second.url, 40), 10);
  await command('scale', '5');
  expect((await second.status()).nodes.map(({ health }) => health)).toEqual(Array(5).fill('alive'));
  await command('scale', '3');
  const old = (await second.status()).nodes.map(({ pid }) => pid);
  await command('restart', '--rolling');
  const fresh = (await second.status()).nodes.map(({ pid }) => pid);
  expect(fresh).toHaveLength(3);
  expect(fresh.filter((pid) => old.includes(pid))).toEqual([]);
  expect(await again.end()).toMatchObject({
    failedReads: 0,
    lost: 0,
    doubled: 0,
    refused: 0,
    failedWrites: 0,
    notes: [],
  });

  const everybody = [...(await pidsOf(second)), Number(second.supervisor.pid)];
  expect((await runLimpet(['stop', '--run-dir', second.runDir])).code).toBe(0);
  await waitUntil(() => everybody.every((pid) => !isRunning(pid)), { what: 'every process to end' });
  expect([...first.pids(), ...second.pids()]).toEqual([]);
  expect(await isFree(first.url)).toBe(true);
});
