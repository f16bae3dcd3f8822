import { randomBytes } from 'node:crypto';
import {
  type Encoded,
  findKept,
  findRival,
  formatSessionId,
  type KeptAnswers,
  type KeyName,
  keep,
  keptBy,
  keyLifeMsDefault,
  type LogEntry,
  type Mark,
  parseSessionId,
  placementOf,
  type RequestId,
  type SessionId,
  type SipKey,
} from '@limpet/core';
import type { CommitInput, Engine, Held, Recalled, Verdict } from './engine.ts';
import { MemoryLog } from './memory-log.ts';

/** Bytes of an id's placement and of its random part. */
const placementBytes = 5;
const randomIdBytes = 16;
/** How many sessions one turn of the sweep looks at, so that it never blocks the loop for long. */
export const sweepSlice = 2_000;
/** How often the sweep takes a turn, in milliseconds. */
export const sweepEveryMs = 1_000;
/** How many ended sessions are remembered, for the retries of the requests that ended them. */
export const tombstonesMax = 10_000;

export interface MemoryEngineOptions {
  /** The first makes ids, all of them are accepted. */
  readonly macKeys: readonly SipKey[];
  /** Names the maker of a version; `n1` in a worker, the process otherwise. */
  readonly node?: string;
  /** Draws an id; with `kin`, one that keeps its placement. Random placement when absent. */
  readonly mint?: (kin: SessionId | null) => SessionId;
  /** A session not used for so long ends, in milliseconds. */
  readonly idleMs: number;
  /** A session ends so long after it was made, whatever its use, in milliseconds. */
  readonly absoluteMs: number;
  /** How long the answer of a request with an Idempotency-Key is kept, in milliseconds; `keyLifeMsDefault` unless given. */
  readonly keyLifeMs?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** What the memory engine holds at the moment. */
export interface MemoryCounts {
  readonly sessions: number;
  readonly tombstones: number;
  /** Requests that have opened or made a session and not closed it. */
  readonly running: number;
  /** Encoded bytes of all attributes. */
  readonly bytes: number;
}

export interface MemoryEngine extends Engine {
  readonly counts: MemoryCounts;
  /** Ends the sweep and forgets everything. */
  stop(): void;
}

const safe: Verdict = { kind: 'safe' };
const gone: Verdict = { kind: 'gone' };
const noView = { term: 0, number: 0 } as const;

class MemorySession implements Held {
  readonly id: SessionId;
  readonly attributes = new Map<string, Encoded>();
  readonly log = new MemoryLog();
  readonly kept: KeptAnswers = new Map();
  /** Requests running here; true: the log knew the request before it began, so nothing of it is done again. */
  readonly running = new Map<RequestId, boolean>();
  readonly createdAt: number;
  readonly expiresAt: number;
  mark: Mark;
  deleted = false;
  live: unknown = null;
  usedAt: number;

  constructor(id: SessionId, by: string, now: number, absoluteMs: number) {
    this.id = id;
    this.createdAt = now;
    this.usedAt = now;
    this.expiresAt = now + absoluteMs;
    this.mark = { version: 0, view: noView, by };
  }
}

/** Sessions in the memory of this process, one copy each: every verdict is there at once. */
export function createMemoryEngine(options: MemoryEngineOptions): MemoryEngine {
  return new Memory(options);
}

class Memory implements MemoryEngine {
  readonly #options: MemoryEngineOptions;
  readonly #by: string;
  readonly #now: () => number;
  readonly #sessions = new Map<SessionId, MemorySession>();
  /** Made but not committed: nobody else can open them. */
  readonly #unborn = new Map<SessionId, MemorySession>();
  readonly #tombstones = new Map<SessionId, MemorySession>();
  #bytes = 0;
  #running = 0;
  #timer: NodeJS.Timeout | null = null;
  #cursor: MapIterator<MemorySession> | null = null;

  constructor(options: MemoryEngineOptions) {
    if (options.macKeys.length === 0) throw new Error('broken invariant: an engine has at least one MAC key');
    this.#options = options;
    this.#by = options.node ?? 'memory';
    this.#now = options.now ?? Date.now;
  }

  get counts(): MemoryCounts {
    return {
      sessions: this.#sessions.size,
      tombstones: this.#tombstones.size,
      running: this.#running,
      bytes: this.#bytes,
    };
  }

  mint(kin: SessionId | null): SessionId {
    if (this.#options.mint !== undefined) return this.#options.mint(kin);
    const placement = kin === null ? randomBytes(placementBytes) : placementOf(kin);
    const [key] = this.#options.macKeys;
    if (key === undefined) throw new Error('broken invariant: an engine has at least one MAC key');
    return formatSessionId({ arm: 0, placement, random: randomBytes(randomIdBytes) }, key);
  }

  parse(text: string): SessionId | null {
    return parseSessionId(text, this.#options.macKeys);
  }

  open(id: SessionId, request: RequestId): Held | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return null;
    if (this.#isExpired(session)) {
      this.#end(session);
      return null;
    }
    this.#run(session, request);
    return session;
  }

  create(id: SessionId, request: RequestId): Held {
    const session = new MemorySession(id, this.#by, this.#now(), this.#options.absoluteMs);
    this.#unborn.set(id, session);
    this.#run(session, request);
    return session;
  }

  commit(held: Held, request: RequestId, input: CommitInput): Verdict {
    const session = held as MemorySession;
    const now = this.#now();
    if (session.deleted || now >= session.expiresAt) return gone;
    const known = session.log.get(request);
    if (known !== null && session.running.get(request) !== false) return { kind: 'duplicate', answer: known.answer };
    const until = Math.min(now + (this.#options.keyLifeMs ?? keyLifeMsDefault), session.expiresAt);
    const kept = keptBy({ request, ...input }, input.carries, until);
    const old = input.bury === null ? undefined : (this.#sessions.get(input.bury) ?? this.#tombstones.get(input.bury));
    const own = { kept, request, at: now };
    const rival = findRival(session.kept, own) ?? (old === undefined ? null : findRival(old.kept, own));
    if (rival !== null) return { kind: 'duplicate', answer: rival.answer };
    session.usedAt = now;
    const version = session.mark.version + 1;
    session.mark = { version, view: noView, by: this.#by };
    if (this.#unborn.delete(session.id)) {
      this.#sessions.set(session.id, session);
      this.#startSweep();
    }
    this.#apply(session, input);
    session.log.committed(request, version, input.answer, now);
    for (const { request: other } of input.carries) session.log.carried(other, version, now);
    if (input.bury !== null) this.#bury(input.bury, session, request);
    if (input.destroy) {
      this.#end(session);
      session.kept.clear();
    }
    keep(session.kept, [...(old?.kept.values() ?? []), ...kept], now);
    if (old !== undefined) keep(old.kept, kept, now);
    return safe;
  }

  safe(): Verdict {
    return safe;
  }

  logged(held: Held, request: RequestId): LogEntry | null {
    return (held as MemorySession).log.get(request);
  }

  recall(id: SessionId, request: RequestId, key: KeyName | null): Recalled {
    const session = this.#sessions.get(id) ?? this.#tombstones.get(id);
    const kept = session === undefined || key === null ? null : findKept(session.kept, key, this.#now());
    return { entry: session?.log.get(request) ?? null, kept };
  }

  delivered(held: Held, request: RequestId): void {
    (held as MemorySession).log.delivered(request);
  }

  touch(held: Held): void {
    (held as MemorySession).usedAt = this.#now();
  }

  close(id: SessionId, request: RequestId): void {
    const session = this.#sessions.get(id) ?? this.#tombstones.get(id) ?? this.#unborn.get(id);
    if (session?.running.delete(request)) this.#running -= 1;
    if (session?.running.size === 0) this.#unborn.delete(id);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#cursor = null;
    this.#sessions.clear();
    this.#unborn.clear();
    this.#tombstones.clear();
    this.#bytes = 0;
    this.#running = 0;
  }

  #run(session: MemorySession, request: RequestId): void {
    if (session.running.has(request)) return;
    this.#running += 1;
    session.running.set(request, session.log.get(request) !== null);
  }

  #apply(session: MemorySession, input: CommitInput): void {
    for (const [name, value] of input.change.set) {
      this.#bytes += value.byteLength - (session.attributes.get(name)?.byteLength ?? 0);
      session.attributes.set(name, value);
    }
    for (const name of input.change.remove) {
      this.#bytes -= session.attributes.get(name)?.byteLength ?? 0;
      session.attributes.delete(name);
    }
  }

  #bury(old: SessionId, successor: MemorySession, request: RequestId): void {
    const session = this.#sessions.get(old);
    if (session === undefined) return;
    this.#end(session);
    const entry = successor.log.get(request);
    if (entry !== null) session.log.take(entry);
  }

  #isExpired(session: MemorySession): boolean {
    const now = this.#now();
    if (now >= session.expiresAt) return true;
    return session.running.size === 0 && now - session.usedAt >= this.#options.idleMs;
  }

  /** Requests still running on it find it deleted; nobody opens it again. */
  #end(session: MemorySession): void {
    session.deleted = true;
    for (const value of session.attributes.values()) this.#bytes -= value.byteLength;
    session.attributes.clear();
    this.#sessions.delete(session.id);
    this.#tombstones.set(session.id, session);
    if (this.#tombstones.size <= tombstonesMax) return;
    const [oldest] = this.#tombstones.values();
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(session: MemorySession): void {
    this.#tombstones.delete(session.id);
    this.#running -= session.running.size;
    session.running.clear();
  }

  #startSweep(): void {
    this.#timer ??= setInterval(() => this.#sweep(), sweepEveryMs).unref();
  }

  #sweep(): void {
    this.#cursor ??= this.#sessions.values();
    for (let looked = 0; looked < sweepSlice; looked += 1) {
      const next = this.#cursor.next();
      if (next.done) {
        this.#cursor = null;
        break;
      }
      if (this.#isExpired(next.value)) this.#end(next.value);
    }
    const now = this.#now();
    for (const session of this.#tombstones.values()) {
      // An id cannot be forged or drawn twice, so the tombstone serves retries only: as long as the log would.
      if (session.running.size > 0 || now - session.usedAt < tombstoneMs) continue;
      this.#forget(session);
    }
  }
}

/** How long an ended session is remembered after its last use, in milliseconds. */
const tombstoneMs = 60_000;
