import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { FromSupervisor, ToSupervisor } from '@limpet/core';

/** The descriptor that every process of the port inherits: the listening socket. */
export const listenFd = 3;

/**
 * Starts a process beside this one with the listening socket as its descriptor 3, for a supervisor that was not there
 * when the port was bound. In a session of its own and without a pipe: it lives on when this process ends, and is reaped here
 * when it ends first.
 */
export function spawnSibling(
  { sequence, program }: FromSupervisor & { readonly kind: 'spawn' },
  tell: (message: ToSupervisor) => void,
): void {
  const failed = (error: unknown): void => {
    const why = error instanceof Error ? error.message : String(error);
    tell({ kind: 'spawned', sequence, pid: null, why });
  };
  let log: number | null = null;
  try {
    log = openSync(program.log, 'a', 0o600);
    const child = spawn(program.file, program.argv, {
      cwd: program.cwd,
      env: program.env,
      detached: true,
      stdio: ['ignore', log, log, listenFd],
    });
    if (child.pid === undefined) child.once('error', failed);
    else tell({ kind: 'spawned', sequence, pid: child.pid, why: '' });
    child.on('error', () => {});
    child.unref();
  } catch (error) {
    failed(error);
  } finally {
    if (log !== null) closeSync(log);
  }
}
