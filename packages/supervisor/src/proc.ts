import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { type Ending, endingOfEvent, endingOfStatus } from './ending.ts';
import { isDead, isGone, type ProcStat, parseProcStat } from './proc-stat.ts';

/** How often every process is looked at. A look costs about 8 µs. */
const lookMs = 5;
/** The same above `manyProcesses`, so that watching stays below one per cent of a core. */
const lookManyMs = 20;
const manyProcesses = 16;
/** How long a dead process may keep its exit status to itself before it is reported without. */
const statusWaitMs = 50;

/** One process under watch. */
export interface Watch {
  /** Looks now: some sign (end of a link, a balancer's report) says that it may be dead. */
  look(): void;
  /** Its exit event came. Where there is no /proc this is the proof. */
  exited(code: number | null, signal: string | null): void;
  readonly dead: boolean;
  /** Field 22 of its stat line, null where there is no /proc. */
  readonly startTime: string | null;
}

/**
 * Proves deaths (PROTOCOL P7): by a descriptor of /proc/<pid>/stat opened at the start and kept. It is bound to that
 * process, so a reused pid cannot deceive it, and it shows a death within milliseconds at any size of the heap, where
 * the exit event waits until the memory has been freed.
 */
export class DeathWatch {
  readonly #watches = new Set<ProcWatch>();
  #timer: NodeJS.Timeout | null = null;
  #everyMs = 0;

  /** Watches `pid`, which must not have been reaped yet. `onDeath` is called once, in the turn that proves the death. */
  watch(pid: number, onDeath: (ending: Ending) => void): Watch {
    return this.#add(pid, true, onDeath);
  }

  /** Watches a process that is not a child of this one; null when no process of that start time is there. */
  adopt(pid: number, startTime: string | null, onDeath: (ending: Ending) => void): Watch | null {
    const watch = this.#add(pid, false, onDeath);
    // Compared once: the descriptor stays with the process it was opened for.
    if (watch.startTime !== null && (startTime === null || watch.startTime === startTime)) return watch;
    watch.close();
    this.#forget(watch);
    return null;
  }

  #add(pid: number, isChild: boolean, onDeath: (ending: Ending) => void): ProcWatch {
    const watch = new ProcWatch(pid, isChild, (ending) => {
      this.#forget(watch);
      onDeath(ending);
    });
    this.#watches.add(watch);
    this.#schedule();
    return watch;
  }

  /** Looks at nobody any more. */
  close(): void {
    for (const watch of this.#watches) watch.close();
    this.#watches.clear();
    this.#schedule();
  }

  #forget(watch: ProcWatch): void {
    this.#watches.delete(watch);
    this.#schedule();
  }

  #schedule(): void {
    const everyMs = this.#watches.size === 0 ? 0 : this.#watches.size > manyProcesses ? lookManyMs : lookMs;
    if (everyMs === this.#everyMs) return;
    this.#everyMs = everyMs;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = everyMs === 0 ? null : setInterval(() => this.#lookAtAll(), everyMs);
  }

  #lookAtAll(): void {
    for (const watch of [...this.#watches]) watch.look();
  }
}

const buffer = Buffer.alloc(4096);

class ProcWatch implements Watch {
  readonly #fd: number | null;
  readonly startTime: string | null;
  /** Its exit event will come here. */
  readonly #isChild: boolean;
  readonly #onDeath: (ending: Ending) => void;
  #dead = false;
  #exitingSince: number | null = null;

  constructor(pid: number, isChild: boolean, onDeath: (ending: Ending) => void) {
    this.#isChild = isChild;
    this.#onDeath = onDeath;
    this.#fd = openStat(pid);
    this.startTime = this.#fd === null ? null : (readStat(this.#fd)?.startTime ?? null);
  }

  get dead(): boolean {
    return this.#dead;
  }

  look(): void {
    if (this.#dead || this.#fd === null) return;
    const ending = this.#endingOf(readStat(this.#fd));
    if (ending !== null) this.#end(ending);
  }

  /** Null while it lives, or has not yet said how it ends. */
  #endingOf(stat: ProcStat | null): Ending | null {
    if (stat !== null && !isDead(stat)) return null;
    const status = stat?.exitStatus ?? null;
    if (stat !== null && status !== null && (status !== 0 || isGone(stat))) return endingOfStatus(status);
    if (stat === null && !this.#isChild) return { kind: 'unknown' };
    // Reaped: its exit event is on its way. Status 0 of a process that is still exiting may mean "not filled in yet": a
    // SIGKILL must not pass for an exit 0.
    this.#exitingSince ??= performance.now();
    return performance.now() - this.#exitingSince >= statusWaitMs ? { kind: 'unknown' } : null;
  }

  exited(code: number | null, signal: string | null): void {
    if (!this.#dead) this.#end(endingOfEvent(code, signal));
  }

  #end(ending: Ending): void {
    this.close();
    this.#onDeath(ending);
  }

  /** Watches no more. */
  close(): void {
    this.#dead = true;
    if (this.#fd !== null) closeSync(this.#fd);
  }
}

function openStat(pid: number): number | null {
  try {
    return openSync(`/proc/${pid}/stat`, 'r');
  } catch {
    return null;
  }
}

/** Null when the process is gone and reaped (ESRCH). */
function readStat(fd: number): ProcStat | null {
  try {
    return parseProcStat(buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)));
  } catch {
    return null;
  }
}

/** The start time of a living process, null when there is none under that pid (or no /proc). */
export function startTimeOf(pid: number): string | null {
  try {
    const stat = parseProcStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return stat === null || isDead(stat) ? null : stat.startTime;
  } catch {
    return null;
  }
}

/** Whether the supervisor that wrote `cluster.json` still lives. */
export const isSupervised = (file: {
  readonly pid: number;
  readonly startTime: string | null;
  readonly boot: string | null;
}): boolean => file.boot === bootId() && isAlive(file.pid, file.startTime);

/** Whether that very process still lives. Without a start time (no /proc) a signal of nothing must do. */
export function isAlive(pid: number, startTime: string | null): boolean {
  if (startTime !== null) return startTimeOf(pid) === startTime;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Names this boot of the machine, null where the kernel does not: pids and start times mean something within one boot only. */
export function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return null;
  }
}
