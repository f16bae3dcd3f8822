import { memoryOf } from './processes.ts';

export interface MemoryWatch {
  /** Ends the watch; the largest growth of any process in bytes, and whose it was. */
  end(): { readonly bytes: number; readonly pid: number };
}

/** Looks every 20 ms at the resident memory of processes. */
export function watchMemory(pids: readonly number[]): MemoryWatch {
  const first = new Map(pids.map((pid) => [pid, memoryOf(pid)]));
  let worst = { bytes: 0, pid: 0 };
  const look = (): void => {
    for (const [pid, start] of first) {
      const bytes = memoryOf(pid) - start;
      if (bytes > worst.bytes) worst = { bytes, pid };
    }
  };
  const timer = setInterval(look, 20);
  return {
    end() {
      clearInterval(timer);
      look();
      return worst;
    },
  };
}
