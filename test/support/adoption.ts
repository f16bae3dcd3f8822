import { expect } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
import { readOnce, type User, writeOnce } from './load.ts';
import { isRunning } from './processes.ts';
import { waitUntil } from './wait-until.ts';

/** SIGKILL for the supervisor of `cluster`, and waits for its end. */
export async function killSupervisor(cluster: Cluster): Promise<void> {
  const { pid } = cluster.supervisor;
  if (pid === undefined) throw new Error('no supervisor');
  process.kill(pid, 'SIGKILL');
  await waitUntil(() => !isRunning(pid), { what: 'the end of the supervisor' });
}

/** Another `limpet start` in the run directory of `cluster`. */
export const startAgain = (cluster: Cluster, options: ClusterOptions = {}): Promise<Cluster> =>
  startCluster({ ...options, folder: cluster.folder });

/** The first line of this event that `limpet start` has printed. */
export const eventOf = (cluster: Cluster, name: string) => cluster.events.find(({ event }) => event === name);

/** Every user reads and writes once; nothing may be lost or doubled. */
export async function checkAll(users: readonly User[]): Promise<void> {
  await Promise.all(users.map(readOnce));
  await Promise.all(users.map(writeOnce));
  for (const { check } of users) {
    expect(check).toMatchObject({ lost: 0, doubled: 0, failedReads: 0, failedWrites: 0, refused: 0, notes: [] });
  }
}

/** The workers' pids, in the order of the nodes. */
export const pidsOf = async (cluster: Cluster) => (await cluster.status()).nodes.map(({ pid }) => pid);
