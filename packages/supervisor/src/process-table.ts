import { readJson, reasonOf, replaceFile } from './files.ts';
import { bootId, isAlive } from './proc.ts';

/** A process of the cluster as the run directory remembers it. */
export interface ProcessEntry {
  readonly name: string;
  /** `holder`: keeps the port open while there is no supervisor that bound it. */
  readonly role: 'worker' | 'balancer' | 'holder';
  readonly incarnation: number;
  readonly pid: number;
  readonly startTime: string | null;
}

/** What the process table of an earlier supervisor says. */
export interface LeftTable {
  /** Those that still live. */
  readonly living: readonly ProcessEntry[];
  /** How often each name has been started: an incarnation is never given out twice. */
  readonly starts: ReadonlyMap<string, number>;
}

/**
 * The processes that were started and not yet proven dead, on disk so that they can be adopted or ended when their
 * supervisor is gone; and how often each has been started.
 */
export class ProcessTable {
  readonly #path: string;
  readonly #onTrouble: (why: string) => void;
  readonly #entries = new Map<number, ProcessEntry>();
  readonly #starts: Map<string, number>;

  /** `onTrouble`: the table could not be written. The cluster goes on; only a later supervisor or `stop` would miss some. */
  constructor(path: string, onTrouble: (why: string) => void, left: LeftTable | null = null) {
    this.#path = path;
    this.#onTrouble = onTrouble;
    this.#starts = new Map(left?.starts);
    for (const entry of left?.living ?? []) this.#entries.set(entry.pid, entry);
  }

  /** The next incarnation of this name, written before anything is started under it. */
  nextIncarnation(name: string): number {
    const incarnation = (this.#starts.get(name) ?? 0) + 1;
    this.#starts.set(name, incarnation);
    this.#write();
    return incarnation;
  }

  startsOf(name: string): number {
    return this.#starts.get(name) ?? 0;
  }

  add(entry: ProcessEntry): void {
    this.#entries.set(entry.pid, entry);
    this.#write();
  }

  remove(pid: number): void {
    if (this.#entries.delete(pid)) this.#write();
  }

  #write(): void {
    const content = {
      boot: bootId(),
      starts: Object.fromEntries(this.#starts),
      processes: [...this.#entries.values()],
    };
    try {
      replaceFile(this.#path, `${JSON.stringify(content)}\n`, false);
    } catch (error) {
      this.#onTrouble(`the process table cannot be written: ${reasonOf(error)}`);
    }
  }
}

/** The table at `path`, without those that live no more. After a reboot nobody does: pids and start times begin anew. */
export function readTable(path: string): LeftTable {
  const content = readJson(path);
  if (typeof content !== 'object' || content === null) return { living: [], starts: new Map() };
  const { boot, starts, processes } = content as { readonly [key: string]: unknown };
  const entries = Array.isArray(processes) && boot === bootId() ? processes.filter(isEntry) : [];
  const counts = typeof starts === 'object' && starts !== null ? Object.entries(starts) : [];
  return {
    living: entries.filter((entry) => isAlive(entry.pid, entry.startTime)),
    starts: new Map(counts.filter((pair): pair is [string, number] => Number.isSafeInteger(pair[1]))),
  };
}

function isEntry(value: unknown): value is ProcessEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { name, role, incarnation, pid } = value as Partial<ProcessEntry>;
  const isRole = role === 'worker' || role === 'balancer' || role === 'holder';
  // A pid of 0 or below would signal whole groups.
  return (
    typeof name === 'string' && isRole && Number.isInteger(incarnation) && Number.isInteger(pid) && Number(pid) > 1
  );
}

/** `n1 4711, n2 4712`: for messages. */
export const namesOf = (entries: readonly ProcessEntry[]): string =>
  entries.map(({ name, pid }) => `${name} ${pid}`).join(', ');
