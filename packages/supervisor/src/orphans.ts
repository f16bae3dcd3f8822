import { rmSync } from 'node:fs';
import { LimpetError, saveMsMax } from '@limpet/core';
import { readLeft } from './left-processes.ts';
import { lockRunDirectory } from './lock.ts';
import { isAlive } from './proc.ts';
import type { ProcessEntry } from './process-table.ts';
import { type RunDirectory, readClusterFile, removeSocketsFolder, runDirectoryAt } from './run-directory.ts';

/** From SIGTERM to SIGKILL. Balancers finish their requests first, while the workers still answer; workers save their sessions. */
const balancerEndMs = 4_000;
const workerEndMs = 3_000 + saveMsMax;
const killEndMs = 1_000;
const lookMs = 20;

/**
 * Ends the processes that a dead supervisor has left in `runDir`, found by its process table and in /proc, and
 * removes what they used. Gives those that were ended, none when there were none. Rejects with
 * LIMPET_RUN_DIRECTORY_IN_USE when a supervisor lives: then it is the one to ask.
 */
export async function stopOrphans(runDir: string): Promise<readonly { readonly name: string; readonly pid: number }[]> {
  const run = runDirectoryAt(runDir);
  if (readLeft(run).living.length === 0) return [];
  const lock = await lockRunDirectory(run);
  if (lock === null) {
    throw new LimpetError('LIMPET_RUN_DIRECTORY_IN_USE', { dir: run.path, pid: readClusterFile(run)?.pid ?? 0 });
  }
  try {
    const { living: orphans, sockets } = readLeft(run);
    // A balancer or the holder of its port: all that would keep the port open.
    await endAll(
      orphans.filter(({ role }) => role !== 'worker'),
      balancerEndMs,
    );
    await endAll(
      orphans.filter(({ role }) => role === 'worker'),
      workerEndMs,
    );
    removeTraces(run);
    if (sockets !== null) removeSocketsFolder(sockets);
    return orphans.map(({ name, pid }) => ({ name, pid }));
  } finally {
    await lock.release();
  }
}

/** The processes that still run in `runDir`, with or without a supervisor, by its process table and in /proc. */
export function listProcesses(runDir: string): readonly ProcessEntry[] {
  return readLeft(runDirectoryAt(runDir)).living;
}

/** Removes everything that only a running cluster needs. Keys, views and output stay. */
export function removeTraces(run: RunDirectory): void {
  const sockets = readClusterFile(run)?.sockets;
  if (sockets !== undefined) removeSocketsFolder(sockets);
  rmSync(run.processes, { recursive: true, force: true });
  rmSync(run.cluster, { force: true });
  rmSync(run.wishes, { force: true });
  rmSync(run.options, { force: true });
}

async function endAll(entries: readonly ProcessEntry[], termMs: number): Promise<void> {
  signal(entries, 'SIGTERM');
  if (await allGone(entries, termMs)) return;
  signal(entries, 'SIGKILL');
  await allGone(entries, killEndMs);
}

function signal(entries: readonly ProcessEntry[], name: NodeJS.Signals): void {
  for (const { pid, startTime } of entries) {
    if (!isAlive(pid, startTime)) continue;
    try {
      process.kill(pid, name);
    } catch {
      // Gone in between.
    }
  }
}

async function allGone(entries: readonly ProcessEntry[], waitMs: number): Promise<boolean> {
  const end = performance.now() + waitMs;
  while (entries.some(({ pid, startTime }) => isAlive(pid, startTime))) {
    if (performance.now() >= end) return false;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
  return true;
}
