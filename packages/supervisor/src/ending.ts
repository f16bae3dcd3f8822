import { constants } from 'node:os';

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

/** `SIGKILL`, `exit 1`: for people. */
export function formatEnding(ending: Ending): string {
  if (ending.kind === 'signal') return ending.signal;
  return ending.kind === 'exit' ? `exit ${ending.code}` : 'unknown';
}

/**
 * Whether somebody ended the process or it ended of its own (P21). `sentSignal`: the supervisor itself had signalled
 * it, so even an orderly exit is somebody's wish. An unknown ending counts as `killed`: blaming a request for a death
 * it did not cause would refuse it to its user.
 */
export function classifyCause(ending: Ending, sentSignal: boolean): 'killed' | 'self' {
  if (sentSignal || ending.kind === 'unknown') return 'killed';
  return ending.kind === 'signal' && !crashes.has(ending.signal) ? 'killed' : 'self';
}
