import { type Cluster, type ClusterOptions, startCluster } from './cluster.ts';
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
