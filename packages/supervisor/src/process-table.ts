import { readJson, replaceFile } from './files.ts';
import { isAlive } from './proc.ts';

/** A process of the cluster as the run directory remembers it. */
export interface ProcessEntry {
  readonly name: string;
  readonly role: 'worker' | 'balancer';
  readonly incarnation: number;
  readonly pid: number;
  readonly startTime: string | null;
}

/** The processes that were started and not yet proven dead, on disk so that they can be ended without a supervisor. */
export class ProcessTable {
  readonly #path: string;
  readonly #onTrouble: (why: string) => void;
  readonly #entries = new Map<number, ProcessEntry>();

  /** `onTrouble`: the table could not be written. The cluster goes on; only `stop` without a supervisor would miss some. */
  constructor(path: string, onTrouble: (why: string) => void) {
    this.#path = path;
    this.#onTrouble = onTrouble;
  }

  add(entry: ProcessEntry): void {
    this.#entries.set(entry.pid, entry);
    this.#write();
  }

  remove(pid: number): void {
    if (this.#entries.delete(pid)) this.#write();
  }

  #write(): void {
    try {
      replaceFile(this.#path, `${JSON.stringify([...this.#entries.values()])}\n`, false);
    } catch (error) {
      this.#onTrouble(`the process table cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Those of the table's processes that still live. */
export function readLiving(path: string): readonly ProcessEntry[] {
  const content = readJson(path);
  if (!Array.isArray(content)) return [];
  return content.filter(isEntry).filter((entry) => isAlive(entry.pid, entry.startTime));
}

function isEntry(value: unknown): value is ProcessEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { name, role, pid } = value as Partial<ProcessEntry>;
  // A pid of 0 or below would signal whole groups.
  return (
    typeof name === 'string' && (role === 'worker' || role === 'balancer') && Number.isInteger(pid) && Number(pid) > 1
  );
}

/** `n1 4711, n2 4712`: for messages. */
export const namesOf = (entries: readonly ProcessEntry[]): string =>
  entries.map(({ name, pid }) => `${name} ${pid}`).join(', ');
