import { LimpetError } from '@limpet/core';
import type { Cluster } from './cluster.ts';
import { ClusterRun } from './cluster-run.ts';
import type { ClusterEvent } from './events.ts';
import { loadKeys } from './keys.ts';
import { bindPort, type Listener } from './listener.ts';
import { lockRunDirectory } from './lock.ts';
import type { ClusterOptions } from './options.ts';
import { namesOf, readLiving } from './process-table.ts';
import { openRunDirectory, openSocketsFolder, type RunDirectory, readClusterFile } from './run-directory.ts';

/**
 * Starts a cluster and resolves when it serves requests, or when it was stopped before that. Rejects with a LimpetError, leaving nothing behind, when the
 * run directory or a port is in use, the secret file is refused, or no node can be started.
 *
 * `signal`: an abort before it is ready ends what was started and rejects with the signal's reason; later it does
 * nothing.
 *
 * An uncaught exception of this process ends it and leaves workers and balancers serving with the last view.
 */
export async function startCluster(
  options: ClusterOptions,
  onEvent: (event: ClusterEvent) => void,
  signal?: AbortSignal,
): Promise<Cluster> {
  const startedAt = performance.now();
  const run = openRunDirectory(options.runDir);
  const lock = await lockRunDirectory(run);
  if (lock === null) {
    throw new LimpetError('LIMPET_RUN_DIRECTORY_IN_USE', {
      dir: run.path,
      pid: readClusterFile(run)?.pid ?? 'unknown',
    });
  }
  let listener: Listener | null = null;
  try {
    refuseOrphans(run);
    const keys = loadKeys(options.secretFile, run.keys);
    listener = await bindPort(options.host, options.port);
    const sockets = openSocketsFolder(run);
    const cluster = new ClusterRun({ options, run, sockets, lock, keys, listener, startedAt, onEvent });
    await cluster.start(signal);
    return cluster;
  } catch (error) {
    listener?.close();
    await lock.release();
    throw error;
  }
}

/** Two generations of workers under the same names would answer for each other. */
function refuseOrphans(run: RunDirectory): void {
  const orphans = readLiving(run.processes);
  if (orphans.length === 0) return;
  throw new LimpetError('LIMPET_ORPHANS', { dir: run.path, names: namesOf(orphans) });
}
