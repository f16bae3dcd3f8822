import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Reads a file of /proc, or null when the process is gone. */
function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return null;
  }
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** The state letter of `/proc/<pid>/stat`, or null when there is no such process. */
export function stateOf(pid: number): string | null {
  const stat = readProc(pid, 'stat');
  return stat === null ? null : (stat.slice(stat.lastIndexOf(')') + 2)[0] ?? null);
}

/** Whether a process runs: a zombie does not. */
export const isRunning = (pid: number): boolean => !['Z', 'X', null].includes(stateOf(pid));

/** Every running process whose environment, arguments or working folder speak of `mark`. Detached ones are found too. */
export function pidsMarked(mark: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isRunning(pid))
    .filter((pid) => {
      const said = `${readProc(pid, 'environ') ?? ''}\n${readProc(pid, 'cmdline') ?? ''}\n`;
      return said.includes(mark) || workingFolder(pid).includes(mark);
    });
}

/** Resident memory in bytes. */
export function memoryOf(pid: number): number {
  const line = /^VmRSS:\s+([0-9]+) kB/m.exec(readProc(pid, 'status') ?? '');
  return line ? Number(line[1]) * 1024 : 0;
}

/** Largest resident memory so far, in bytes. */
export function peakMemoryOf(pid: number): number {
  const line = /^VmHWM:\s+([0-9]+) kB/m.exec(readProc(pid, 'status') ?? '');
  return line ? Number(line[1]) * 1024 : 0;
}

/** Processor time used so far, user and system, in milliseconds (ticks of 10 ms). */
export function cpuOf(pid: number): number {
  const stat = readProc(pid, 'stat') ?? '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10;
}

/** Sends SIGKILL and does not mind who is gone already. */
export function killAll(pids: Iterable<number>): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}
