import { readdirSync, readFileSync } from 'node:fs';
import { isDead, parseProcStat } from './proc-stat.ts';
import { type LeftTable, type ProcessEntry, readTable } from './process-table.ts';
import { type RunDirectory, readClusterFile, usualSocketsFolders } from './run-directory.ts';

/** The environment variable in which every process of a cluster is told who it is. */
export const runVariableName = 'LIMPET_RUN';

/** What an earlier supervisor has left. */
export interface Left extends LeftTable {
  /** The folder of their sockets, null when nothing is left. */
  readonly sockets: string | null;
}

/**
 * What an earlier supervisor has left running in this run directory: by its process table and, where there is /proc, by
 * what the processes themselves were told at their start. The second finds those whose start the first had no time to note, and
 * all of them when the table is lost.
 */
export function readLeft(run: RunDirectory): Left {
  const table = readTable(run.processes);
  const folder = readClusterFile(run)?.sockets;
  const folders = folder === undefined ? usualSocketsFolders(run) : [folder];
  const known = new Set(table.living.map(({ pid }) => pid));
  const found = scanProcesses(folders).filter(({ pid }) => !known.has(pid));
  const starts = new Map(table.starts);
  for (const { name, incarnation } of found) starts.set(name, Math.max(starts.get(name) ?? 0, incarnation));
  const living = [...table.living, ...found];
  const [some] = living;
  return { living, starts, sockets: folder ?? (some === undefined ? null : (runOf(some.pid)?.sockets ?? null)) };
}

/** Every living process that was started with one of these sockets folders. */
export function scanProcesses(sockets: readonly string[]): readonly ProcessEntry[] {
  const found: ProcessEntry[] = [];
  for (const name of pidsOfAll()) {
    const pid = Number(name);
    const told = runOf(pid);
    if (told === null || !sockets.includes(told.sockets)) continue;
    const stat = parseProcStat(read(`/proc/${pid}/stat`));
    if (stat !== null && !isDead(stat)) found.push({ ...told.entry, pid, startTime: stat.startTime });
  }
  return found;
}

function pidsOfAll(): readonly string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** What the process was told at its start, null when it is none of a cluster's or belongs to another user. */
export function runOf(
  pid: number,
): { readonly sockets: string; readonly entry: Pick<ProcessEntry, 'name' | 'role' | 'incarnation'> } | null {
  const variable = read(`/proc/${pid}/environ`)
    .split('\0')
    .find((text) => text.startsWith(`${runVariableName}=`));
  if (variable === undefined) return null;
  try {
    const told: unknown = JSON.parse(variable.slice(runVariableName.length + 1));
    const { role, name, incarnation, sockets } = Object(told) as { readonly [key: string]: unknown };
    const isRole = role === 'worker' || role === 'balancer' || role === 'holder';
    if (!isRole || typeof name !== 'string' || typeof incarnation !== 'number') return null;
    return typeof sockets === 'string' ? { sockets, entry: { name, role, incarnation } } : null;
  } catch {
    return null;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
