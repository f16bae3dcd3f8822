import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from './client.ts';
import type { Cluster, LogLine } from './cluster.ts';
import type { User } from './load.ts';
import { killAll } from './processes.ts';
import { waitUntil } from './wait-until.ts';

/** What is in the folder of saved sessions. */
export function savedFiles({ runDir }: Pick<Cluster, 'runDir'>): readonly string[] {
  const folder = join(runDir, 'sessions');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** The newest event of this kind that the supervisor has told of. */
export const eventOf = ({ events }: Cluster, kind: string): LogLine | undefined =>
  events.filter(({ event }) => event === kind).at(-1);

/** The same browser at another address: the port of a new start. */
export function movedTo({ url }: Cluster, client: Client): Client {
  const moved = new Client(url);
  for (const [name, value] of client.cookies) moved.cookies.set(name, value);
  client.close();
  return moved;
}

export const usersAt = (cluster: Cluster, users: readonly User[]): readonly User[] =>
  users.map(({ client, check }) => ({ client: movedTo(cluster, client), check }));

/** SIGKILL for every process at once: as if the power had gone. */
export async function pullThePlug(cluster: Cluster): Promise<void> {
  const none = (): boolean => {
    const pids = cluster.pids();
    killAll(pids);
    return pids.length === 0;
  };
  await waitUntil(none, { what: 'every process to be gone' });
}
