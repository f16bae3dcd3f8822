/** What one line of /proc/<pid>/stat says about a life (proc(5)). */
export interface ProcStat {
  readonly state: string;
  readonly flags: number;
  /** Clock ticks since boot at which the process began: with the pid it names one process for ever. */
  readonly startTime: string;
  /** Wait status: low seven bits the signal, next byte the exit code. Null where the kernel does not show it. */
  readonly exitStatus: number | null;
}

/** PF_EXITING: the kernel has begun to take the process apart; no instruction of it will run again. */
const exitingFlag = 0x4;

/** Position of a field of proc(5) in what follows the command name, whose closing parenthesis ends field 2. */
const at = (field: number): number => field - 3;

/**
 * Reads the line of /proc/<pid>/stat, or null when it is none. The command name may hold spaces, parentheses and line
 * ends (a process can rename itself), so the fields are counted from the last closing parenthesis.
 */
export function parseProcStat(text: string): ProcStat | null {
  const end = text.lastIndexOf(')');
  if (end < 0) return null;
  const fields = text
    .slice(end + 2)
    .trimEnd()
    .split(' ');
  const state = fields[at(3)];
  const flags = Number(fields[at(9)]);
  const startTime = fields[at(22)];
  const status = fields[at(52)];
  if (state?.length !== 1 || !Number.isInteger(flags) || !startTime) return null;
  return { state, flags, startTime, exitStatus: status === undefined ? null : Number(status) };
}

/** The main thread is a zombie, gone, or being taken apart (PROTOCOL P7). */
export const isDead = (stat: ProcStat): boolean => isGone(stat) || (stat.flags & exitingFlag) !== 0;

/** The main thread has ended for good, so the exit status is final. */
export const isGone = (stat: ProcStat): boolean => stat.state === 'Z' || stat.state === 'X' || stat.state === 'x';
