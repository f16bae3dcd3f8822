import { constants } from 'node:os';
import type { Death } from '@limpet/core';

/** How a process ended, as far as anyone can tell. */
export type Ending =
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'unknown' };

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
// SIGIOT is SIGABRT under its older name; people know the newer one.
signalNames.set(constants.signals.SIGABRT, 'SIGABRT');

/** Signals a process brings upon itself: a crash, not somebody's wish. */
const crashes = new Set(['SIGABRT', 'SIGSEGV', 'SIGTRAP', 'SIGILL', 'SIGBUS', 'SIGFPE', 'SIGSYS']);

/** The ending behind a wait status (wait(2)). */
export function endingOfStatus(status: number): Ending {
  const signal = status & 0x7f;
  if (signal === 0) return { kind: 'exit', code: (status >> 8) & 0xff };
  return { kind: 'signal', signal: signalNames.get(signal) ?? `signal ${signal}` };
}

/** The ending behind an exit event of node:child_process. */
export function endingOfEvent(code: number | null, signal: string | null): Ending {
  if (signal !== null) return { kind: 'signal', signal };
  return code === null ? { kind: 'unknown' } : { kind: 'exit', code };
}

/** Whether the process ended by a signal that it brings upon itself. */
export const isCrash = (ending: Ending): boolean => ending.kind === 'signal' && crashes.has(ending.signal);

/** The line that V8 writes before it aborts a process whose heap is full. */
const outOfMemoryPattern = /^FATAL ERROR: .*(?:out of memory|heap limit)/i;

/** Whether a line of a process's output says that it ends for want of memory. */
export const isOutOfMemory = (line: string): boolean => outOfMemoryPattern.test(line);

/** `SIGKILL`, `exit 1`: for people. */
export function formatEnding(ending: Ending): string {
  if (ending.kind === 'signal') return ending.signal;
  return ending.kind === 'exit' ? `exit ${ending.code}` : 'unknown';
}

/**
 * Whether somebody ended the process or it ended of its own (P21). `sentSignal`: the supervisor itself had signalled
 * it, so even an orderly exit is somebody's wish.
 */
export function classifyCause(ending: Ending, sentSignal: boolean): Death['cause'] {
  if (sentSignal) return 'killed';
  if (ending.kind === 'unknown') return 'unknown';
  return ending.kind === 'signal' && !isCrash(ending) ? 'killed' : 'self';
}
