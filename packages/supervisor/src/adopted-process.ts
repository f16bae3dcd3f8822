import type { Ending } from './ending.ts';
import { killGroup, type Running, sendSignal } from './launch.ts';
import type { DeathWatch } from './proc.ts';
import type { ProcessEntry, ProcessTable } from './process-table.ts';

/** A process of the cluster that this supervisor has not started itself. */
export interface Adopted extends Running {
  readonly entry: ProcessEntry;
  /** Who is told of its death from now on; told at once when it has died already. */
  onDeath(listener: (ending: Ending) => void): void;
}

/**
 * Takes a process under watch by pid and start time. Null when it is not there any more, or the pid belongs to another
 * one by now. It has no exit event: its parent is the init process, or a balancer.
 */
export function adoptProcess(entry: ProcessEntry, watch: DeathWatch, table: ProcessTable): Adopted | null {
  const { pid, incarnation } = entry;
  let listener: ((ending: Ending) => void) | null = null;
  let ended: Ending | null = null;
  let resolveEnded: () => void;
  const end = new Promise<void>((resolve) => {
    resolveEnded = resolve;
  });
  const watched = watch.adopt(pid, entry.startTime, (ending) => {
    ended = ending;
    killGroup(pid);
    listener?.(ending);
    table.remove(pid);
    resolveEnded();
  });
  if (watched === null) {
    table.remove(pid);
    return null;
  }
  table.add({ ...entry, startTime: watched.startTime });
  return {
    entry,
    pid,
    incarnation,
    get dead() {
      return watched.dead;
    },
    ended: end,
    look: () => watched.look(),
    kill(signal) {
      watched.look();
      if (!watched.dead) sendSignal(pid, signal);
    },
    onDeath(next) {
      listener = next;
      if (ended !== null) next(ended);
    },
  };
}
