import type { Cluster } from './cluster.ts';
import type { User } from './load.ts';
import { waitUntil } from './wait-until.ts';

/** How long nothing may have changed for a count of what a death takes with it to be called exact, in milliseconds. */
const steadyMs = 1_500;

/** Until all of `sessions` have been counted with all their copies, and nothing has changed for a while. */
export async function quiet(cluster: Cluster, sessions: number): Promise<void> {
  let since = performance.now();
  const isQuiet = async (): Promise<boolean> => {
    const { nodes, settled, unprotected } = await cluster.status();
    const counted = nodes.reduce((sum, node) => sum + node.sessions.primary, 0);
    if (!settled || unprotected > 0 || counted !== sessions) since = performance.now();
    return performance.now() - since > steadyMs;
  };
  await waitUntil(isQuiet, { what: `${sessions} sessions counted and quiet` });
}

/**
 * SIGKILL to several nodes, none of which does anything between the first one's death and its own: this process may lose
 * its processor between two signals, so all are stopped first. Resolves when the cluster knows of their deaths.
 */
export async function killAtOnce(cluster: Cluster, nodes: readonly string[]): Promise<void> {
  const status = await cluster.status();
  const pids = nodes.map((node) => {
    const pid = status.nodes.find(({ id }) => id === node)?.pid;
    if (pid == null) throw new Error(`${node} has no process`);
    return pid;
  });
  for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pids) process.kill(pid, signal);
  const areGone = async (): Promise<boolean> =>
    (await cluster.status()).nodes.every(({ pid }) => !pids.includes(pid ?? 0));
  await waitUntil(areGone, { what: `the deaths of ${nodes.join(' and ')} told` });
}

/** What became of the sessions of users who have each written once. */
export interface Survey {
  /** As it was. */
  readonly kept: number;
  /** Empty: theirs is lost. */
  readonly fresh: number;
  readonly failed: number;
  /** Neither theirs nor an empty one. */
  readonly strange: number;
}

/** Asks for every session. */
export async function survey(users: readonly User[]): Promise<Survey> {
  const counts = await Promise.all(
    users.map(async ({ client, check }) => {
      const answer = await client.get('/api/counter').catch(() => null);
      if (answer?.status !== 200) return 'failed';
      const count = Number(answer.json().count);
      if (count === check.acknowledged) return 'kept';
      return count === 0 ? 'fresh' : 'strange';
    }),
  );
  const of = (kind: keyof Survey): number => counts.filter((found) => found === kind).length;
  return { kept: of('kept'), fresh: of('fresh'), failed: of('failed'), strange: of('strange') };
}
