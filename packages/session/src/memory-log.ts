import type { LogEntry, RequestId } from '@limpet/core';

/** How many requests one session's log remembers. */
export const logEntriesMax = 256;
/** How many of them with their answers, which may be 64 KiB each. */
export const logAnswersMax = 8;
/** How long a request is remembered: well above twice the longest deadline, in milliseconds. */
export const logEntryMs = 60_000;

/** The request log of one session: which requests it has seen committed, oldest first. */
export class MemoryLog {
  readonly #entries = new Map<RequestId, LogEntry>();
  #answers = 0;

  get(request: RequestId): LogEntry | null {
    return this.#entries.get(request) ?? null;
  }

  committed(request: RequestId, version: number, answer: Uint8Array | null, at: number): void {
    const known = this.#entries.get(request);
    const commits = (known?.commits ?? 0) + 1;
    this.#put({ request, state: 'committed', version, commits, answer: answer ?? known?.answer ?? null, at });
  }

  carried(request: RequestId, version: number, at: number): void {
    if (this.#entries.get(request)?.state === 'committed') return;
    this.#put({ request, state: 'carried', version, commits: 0, answer: null, at });
  }

  delivered(request: RequestId): void {
    const entry = this.#entries.get(request);
    if (entry === undefined || entry.answer === null) return;
    this.#answers -= 1;
    this.#entries.set(request, { ...entry, answer: null });
  }

  /** The buried session's log takes over this entry: a retry under the old id finds it (P15). */
  take(entry: LogEntry): void {
    this.#put(entry);
  }

  #put(entry: LogEntry): void {
    if (this.#entries.get(entry.request)?.answer) this.#answers -= 1;
    this.#entries.delete(entry.request);
    this.#entries.set(entry.request, entry);
    if (entry.answer !== null) this.#answers += 1;
    this.#dropOld(entry.at);
  }

  #dropOld(now: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= logEntriesMax && now - entry.at < logEntryMs) break;
      if (entry.answer !== null) this.#answers -= 1;
      this.#entries.delete(entry.request);
    }
    if (this.#answers <= logAnswersMax) return;
    for (const entry of this.#entries.values()) {
      if (this.#answers <= logAnswersMax) return;
      this.delivered(entry.request);
    }
  }
}
