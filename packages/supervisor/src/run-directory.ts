import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { LimpetError } from '@limpet/core';
import { readJson, reasonOf, replaceFile } from './files.ts';

/** Socket paths above this many bytes are cut silently by some Node versions. */
const socketPathBytesMax = 100;
/** Room for the longest name in the sockets folder, with its slash: `/n9999.999999.death`. */
const socketNameBytesMax = 20;

/** Where a cluster keeps what it needs while it runs, and what its commands find it by. */
export interface RunDirectory {
  readonly path: string;
  readonly logs: string;
  readonly keys: string;
  readonly views: string;
  readonly processes: string;
  readonly cluster: string;
  /** The folder that sessions are saved to at a full stop. */
  readonly saved: string;
  /** What the running processes were started with. */
  readonly options: string;
  /** What the operator wants of the nodes. */
  readonly wishes: string;
}

/** What `cluster.json` tells commands in other processes. */
export interface ClusterFile {
  readonly pid: number;
  readonly startTime: string | null;
  /** The boot of the machine in which pid and start time mean something. */
  readonly boot: string | null;
  readonly sockets: string;
  readonly url: string | null;
  readonly adminUrl: string | null;
}

/** The names in a run directory, whether it exists or not. */
export function runDirectoryAt(path: string): RunDirectory {
  const at = (name: string) => join(resolve(path), name);
  return {
    path: resolve(path),
    logs: at('logs'),
    keys: at('keys'),
    views: at('views.json'),
    processes: at('processes.json'),
    cluster: at('cluster.json'),
    saved: at('sessions'),
    options: at('options.json'),
    wishes: at('wishes.json'),
  };
}

/** Makes the run directory, or takes an existing one that nobody else can write to. */
export function openRunDirectory(path: string): RunDirectory {
  const run = runDirectoryAt(path);
  try {
    mkdirSync(run.path, { recursive: true, mode: 0o700 });
    const stat = statSync(run.path);
    if (!isOurs(stat)) throw new Error('it belongs to another user');
    // Whoever can write here can put a sockets folder of their own in place of ours.
    if ((stat.mode & 0o022) !== 0) chmodSync(run.path, 0o700);
    mkdirSync(run.logs, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LimpetError('LIMPET_RUN_DIRECTORY', { dir: run.path, why: reasonOf(error) }, error);
  }
  return run;
}

/**
 * The private folder for this cluster's sockets, empty: inside the run directory when the paths stay short enough,
 * else under the system's temporary directory. The caller records it in `cluster.json`.
 */
export function openSocketsFolder(run: RunDirectory): string {
  const inside = join(run.path, 'sockets');
  if (isShort(inside)) return emptyFolder(inside);
  for (const folder of foldersElsewhere(run)) {
    if (!isShort(`${folder}-XXXXXX`)) continue;
    // The name can be guessed: a folder or link that another user has put there is never used, another name is.
    return isPrivateOrMissing(folder) ? emptyFolder(folder) : mkdtempSync(`${folder}-`);
  }
  throw new LimpetError('LIMPET_RUN_DIRECTORY', {
    dir: run.path,
    why: `its path and that of ${tmpdir()} are too long for sockets (${socketPathBytesMax} bytes)`,
  });
}

/** Where a cluster of this run directory usually has its sockets: for finding its processes when that note is lost. */
export const usualSocketsFolders = (run: RunDirectory): readonly string[] => [
  join(run.path, 'sockets'),
  ...foldersElsewhere(run),
];

function foldersElsewhere(run: RunDirectory): readonly string[] {
  const stat = statSync(run.path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return [];
  return [tmpdir(), '/tmp'].map((base) => join(base, `limpet-${stat.dev.toString(36)}-${stat.ino.toString(36)}`));
}

const isShort = (folder: string): boolean => Buffer.byteLength(folder) + socketNameBytesMax <= socketPathBytesMax;

const isOurs = (stat: Stats): boolean => process.getuid === undefined || stat.uid === process.getuid();

function isPrivateOrMissing(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat === undefined || (stat.isDirectory() && isOurs(stat) && (stat.mode & 0o077) === 0);
}

function emptyFolder(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  removeSockets(folder);
  return folder;
}

/** What clusters leave in their sockets folder. */
const socketNamePattern = /^(?:control|n\d+\.\d+\.(?:http|copy|death))$/;

/** Removes a cluster's sockets, never anything else: with `--run-dir .` the folder may be somebody's own. */
function removeSockets(folder: string): void {
  for (const name of readdirSync(folder)) if (socketNamePattern.test(name)) rmSync(join(folder, name), { force: true });
}

/** Removes the folder unless something else is in it. */
export function removeSocketsFolder(folder: string): void {
  try {
    removeSockets(folder);
    rmdirSync(folder);
  } catch {
    // Not there any more, or not only ours.
  }
}

/** Writes what other commands need to find this cluster. */
export function writeClusterFile(run: RunDirectory, content: ClusterFile): void {
  replaceFile(run.cluster, `${JSON.stringify(content)}\n`, false);
}

/** What the last cluster in this run directory wrote, null when there is nothing readable. */
export function readClusterFile(run: RunDirectory): ClusterFile | null {
  const content = readJson(run.cluster);
  if (typeof content !== 'object' || content === null) return null;
  const { pid, startTime, boot, sockets, url, adminUrl } = content as Partial<ClusterFile>;
  if (typeof pid !== 'number' || typeof sockets !== 'string') return null;
  const supervisor = { pid, startTime: startTime ?? null, boot: boot ?? null };
  return { ...supervisor, sockets, url: url ?? null, adminUrl: adminUrl ?? null };
}
