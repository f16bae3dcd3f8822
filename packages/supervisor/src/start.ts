import { existsSync } from 'node:fs';
import { LimpetError } from '@limpet/core';
import { Certificates } from '@limpet/transport';
import type { Cluster } from './cluster.ts';
import type { ClusterParts } from './cluster-parts.ts';
import { ClusterRun } from './cluster-run.ts';
import { Control } from './control.ts';
import type { ClusterEvent } from './events.ts';
import { reasonOf } from './files.ts';
import { loadKeys } from './keys.ts';
import { type Left, readLeft } from './left-processes.ts';
import { bindPort } from './listener.ts';
import { lockRunDirectory } from './lock.ts';
import type { ClusterOptions } from './options.ts';
import { Places } from './places.ts';
import { Port } from './port.ts';
import { startTimeOf } from './proc.ts';
import { namesOf } from './process-table.ts';
import { compareOptions, recordOptions } from './recorded-options.ts';
import { openRunDirectory, openSocketsFolder, type RunDirectory, readClusterFile } from './run-directory.ts';
import { findSavedFiles, noSavedFiles } from './saved-files.ts';
import { Views } from './views.ts';
import { readWishes } from './wishes.ts';

/**
 * Starts a cluster and resolves when it serves requests, or when it was stopped before that. Rejects with a LimpetError, leaving nothing behind, when the
 * run directory or a port is in use, the secret file is refused, or no node can be started.
 *
 * When an earlier supervisor has left processes in the run directory they are adopted (PROTOCOL P17): they serve on, and whoever
 * has died meanwhile is replaced. What all of them must agree on stays as it is; the event `adopted` says what differs.
 * Rejects with LIMPET_OTHER_KEYS when they have other keys, LIMPET_ORPHANS where the system has no /proc; then, and for
 * every error above, they go on as before.
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
  try {
    const trouble = (message: string) => onEvent({ kind: 'warning', message });
    const left = readLeft(run);
    const prepare = left.living.length === 0 ? prepareNew : prepareAdoption;
    const cluster = new ClusterRun({ ...(await prepare(options, run, left, trouble)), run, lock, startedAt, onEvent });
    await cluster.start(signal);
    return cluster;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

type Prepared = Omit<ClusterParts, 'run' | 'lock' | 'startedAt' | 'onEvent'>;
type Trouble = (message: string) => void;

async function prepareNew(options: ClusterOptions, run: RunDirectory, left: Left, trouble: Trouble): Promise<Prepared> {
  const keys = loadKeys(options.secretFile, run.keys);
  checkTls(options);
  const views = openViews(run, trouble);
  const saved = options.keepSessions ? findSavedFiles(run.saved, views.newest) : noSavedFiles;
  const term = takeTerm(run, views, saved.term);
  views.forget();
  const listener = await bindPort(options.host, options.port);
  try {
    const sockets = openSocketsFolder(run);
    const places = new Places({ options, run, sockets, left, trouble });
    const control = new Control(keys.proofKey);
    const port = new Port(places, control, listener, listener.port);
    const adoption = null;
    const recorded = recordOptions(options, keys);
    const wishes = { nodes: options.nodes, drained: [], restarts: [] };
    return { options, keys, views, saved, term, places, control, port, adoption, recorded, wishes };
  } catch (error) {
    listener.close();
    throw error;
  }
}

async function prepareAdoption(
  given: ClusterOptions,
  run: RunDirectory,
  left: Left,
  trouble: Trouble,
): Promise<Prepared> {
  const dir = run.path;
  // Without /proc nobody can tell whether a process that is not a child has died (PROTOCOL P7).
  if (startTimeOf(process.pid) === null || left.sockets === null) {
    throw new LimpetError('LIMPET_ORPHANS', { dir, names: namesOf(left.living) });
  }
  // Fresh keys would be others than those of the processes.
  if (given.secretFile === null && !existsSync(run.keys)) throw new LimpetError('LIMPET_OTHER_KEYS', { dir });
  const loaded = loadKeys(given.secretFile, run.keys);
  const { options: running, keys, differences, recorded } = compareOptions(run.options, dir, given, loaded);
  checkTls(running);
  const wishes = readWishes(run.wishes) ?? { nodes: running.nodes, drained: [], restarts: [] };
  // The last `limpet scale` holds, not what the cluster was started with.
  const options = { ...running, nodes: wishes.nodes };
  const views = openViews(run, trouble);
  const term = takeTerm(run, views, 0);
  const places = new Places({ options, run, sockets: left.sockets, left, trouble });
  const control = new Control(keys.proofKey);
  const { url } = readClusterFile(run) ?? { url: null };
  const port = new Port(places, control, null, url === null ? options.port : portOf(new URL(url)));
  const adoption = { left, differences };
  // What a worker saved that ended meanwhile is older than what the others hold.
  return { options, keys, views, saved: noSavedFiles, term, places, control, port, adoption, recorded, wishes };
}

/** The balancers read the files themselves; a start with a wrong one ends here, with the reason. Throws LIMPET_TLS. */
function checkTls({ tls }: ClusterOptions): void {
  if (tls.length > 0) new Certificates(tls);
}

const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'https:' ? 443 : 80));

function openViews(run: RunDirectory, trouble: Trouble): Views {
  const views = new Views(run.views);
  if (views.damage !== null) trouble(`${run.views} cannot be used and is set aside: ${views.damage}`);
  return views;
}

/** A term of this supervisor's own, on disk. */
function takeTerm(run: RunDirectory, views: Views, above: number): number {
  try {
    return views.takeTerm(above, Date.now());
  } catch (error) {
    throw new LimpetError('LIMPET_RUN_DIRECTORY', { dir: run.path, why: reasonOf(error) }, error);
  }
}
