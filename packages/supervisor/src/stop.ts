import type { ControlRole } from '@limpet/core';
import type { Control } from './control.ts';
import type { Running } from './launch.ts';

/** Requests in flight may take this long. Together with the workers' time and the kills it stays below 10 s. */
export const balancerGraceMs = 6_000;
/** The holder of the port has nothing to finish. */
export const holderGraceMs = 500;
/** What an app does after its last request: its own handlers of the end. */
export const workerGraceMs = 2_000;
/** From SIGTERM to SIGKILL for a process that has not ended in its time. */
const termMs = 500;
/** The kernel may take a moment to free a large heap; one that is stuck in it longer is not waited for. */
const killMs = 1_000;

export interface Stoppable {
  readonly name: string;
  readonly running: Running;
}

/**
 * Asks each over its control link to finish and end, then with signals. Resolves when all are proven dead. `spreadMs`:
 * WebSockets are closed evenly over this part of the time. `ownEndMs`: what the process gets beyond it for an end of its own.
 */
export async function stopProcesses(
  processes: readonly Stoppable[],
  role: ControlRole & ('app' | 'balancer' | 'holder'),
  control: Control,
  graceMs: number,
  { spreadMs = 0, ownEndMs = 0 } = {},
): Promise<void> {
  for (const { name, running } of processes) {
    const peers = control.of(role, name).filter((peer) => peer.incarnation === running.incarnation);
    for (const peer of peers) peer.send({ kind: 'stop', graceMs, spreadMs });
    // Not connected: it has not come that far, or its loop is blocked.
    if (peers.length === 0) running.kill('SIGTERM');
  }
  if (await allEnded(processes, graceMs + ownEndMs)) return;
  for (const { running } of processes) running.kill('SIGTERM');
  if (await allEnded(processes, termMs)) return;
  await killProcesses(processes);
}

/** Ends them at once. */
export async function killProcesses(processes: readonly Stoppable[]): Promise<void> {
  for (const { running } of processes) running.kill('SIGKILL');
  await allEnded(processes, killMs);
}

/** Whether all have ended within `waitMs`. */
function allEnded(processes: readonly Stoppable[], waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), waitMs);
    Promise.all(processes.map(({ running }) => running.ended)).then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
