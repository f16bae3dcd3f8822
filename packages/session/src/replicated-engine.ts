import {
  type Bounds,
  bounds,
  type Commit,
  type FromCopySide,
  type FromOwnKeeper,
  findKept,
  type Holding,
  type Kept,
  type KeyName,
  keptBy,
  LimpetError,
  type LogEntry,
  type NodeId,
  type PrimaryEffect,
  type PrimaryEvent,
  PrimaryMachine,
  type Rank,
  type RequestId,
  type SavedSession,
  type SessionId,
  type ToCopySide,
  type ToOwnKeeper,
  type View,
  type ViewNumber,
  type WorkingRecord,
} from '@limpet/core';
import type { CommitInput, Engine, Held, Recalled, Verdict } from './engine.ts';
import { HeldRecord } from './held-record.ts';
import { UnheldIds } from './unheld-ids.ts';
import { type Answer, verdictOf } from './verdict.ts';

/** How often the machine is told the time, in milliseconds. */
export const tickMs = 50;
/** The sweep after a view change runs in slices of about this long, so that requests run in between (P5), in milliseconds. */
export const sliceMs = 1.5;
/** Records per step of a slice. */
export const sweepBudget = 25;
/** How often the sessions are weighed, in milliseconds: it looks at each of them, 15 ms for 5,000 on a busy machine. */
const weighEveryMs = 5_000;
/** A view is reported done again this often, in milliseconds: the supervisor may have been down (P9). */
const reportAgainMs = 250;

export interface ReplicatedEngineOptions {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly rank: Rank;
  readonly mint: (kin: SessionId | null) => SessionId;
  readonly parse: (text: string) => SessionId | null;
  /** Longest wait that Limpet may add to one request, in milliseconds. */
  readonly deadlineMs: number;
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** How long the answer of a request with an Idempotency-Key is kept, in milliseconds; at most as long as its session. */
  readonly keyLifeMs: number;
  /** Milliseconds since the epoch on a clock that never goes back. */
  readonly now: () => number;
  /** To the keeper of another member. */
  readonly send: (to: NodeId, message: ToCopySide) => void;
  /** To this process's own keeper. */
  readonly own: (message: ToOwnKeeper | ToCopySide) => void;
  /** Every session this loop is primary of is held by its whole write set in this view. */
  readonly done: (view: ViewNumber) => void;
  /** A request has reached its deadline because these members have not answered. */
  readonly late: (what: 'opening' | 'commit', members: readonly NodeId[]) => void;
  /** How much this loop keeps of what grows with traffic; those of the product when absent. */
  readonly bounds?: Bounds;
}

interface Wait {
  readonly untilMs: number;
  readonly what: 'opening' | 'commit';
  readonly id: SessionId;
  /** Null at the deadline. */
  readonly answer: (answer: Answer | null) => void;
}

/**
 * Feeds the primary machine of a worker's app loop and performs its effects. Holds no rule of the protocol: what may be
 * committed, released or answered is decided in core/primary.ts.
 */
export class ReplicatedEngine implements Engine {
  readonly #options: ReplicatedEngineOptions;
  readonly #machine: PrimaryMachine;
  readonly #waits = new Map<number, Wait>();
  readonly #held = new WeakMap<WorkingRecord, HeldRecord>();
  /** Commits made so far by each request that runs here. */
  readonly #ordinals = new Map<RequestId, number>();
  readonly #timer: NodeJS.Timeout;
  #slice: NodeJS.Immediate | null = null;
  readonly #unheld = new UnheldIds();
  #bytes = 0;
  #weighedAtMs = 0;
  #tickedAtMs = 0;
  #token = 0;
  /** The answer to the token being asked for, when it came within the same step. */
  #instant: Answer | null = null;
  #asked = 0;
  #reported = '';
  #reportedAtMs = 0;

  constructor(options: ReplicatedEngineOptions) {
    this.#options = options;
    const { node: self, incarnation, rank, idleMs, deadlineMs } = options;
    this.#machine = new PrimaryMachine({
      self,
      incarnation,
      rank,
      idleMs,
      deadlineMs,
      bounds: options.bounds ?? bounds,
    });
    this.#tickedAtMs = options.now();
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  // ——— What the runtime of the worker feeds in ———

  get view(): View | null {
    return this.#machine.view;
  }

  /** Sessions that this loop is primary of, tombstones left out. Their bytes are as of the last few seconds. */
  count(): Readonly<Record<'primary' | 'unprotected' | 'uncopied' | 'bytes', number>> {
    const primary = this.#machine.holdings.reduce((sum, { sessions }) => sum + sessions, 0);
    const now = this.#options.now();
    if (now - this.#weighedAtMs >= weighEveryMs) {
      this.#weighedAtMs = now;
      this.#bytes = 0;
      for (const { attributes } of this.#machine.records()) {
        for (const value of attributes.values()) this.#bytes += value.byteLength;
      }
    }
    const { unprotected, uncopied } = this.#machine;
    return { primary, unprotected, uncopied, bytes: this.#bytes };
  }

  /** Everything this loop is primary of, tombstones included: for a file. */
  *allToSave(): IterableIterator<SavedSession & { readonly primary: NodeId }> {
    const { node } = this.#options;
    for (const session of this.#machine.allToSave()) yield { ...session, primary: node };
  }

  /** Who else holds the sessions that this loop is primary of, and a number that goes up when that may have changed. */
  get custody(): { readonly holdings: readonly Holding[]; readonly changes: number } {
    return { holdings: this.#machine.holdings, changes: this.#machine.holdingsChanges };
  }

  /** Sessions that requests asked for, with a genuine id, and that no member held: ended long ago, or lost. */
  get unheld(): number {
    return this.#unheld.count;
  }

  /** How near this loop is to its bounds. For whoever watches. */
  get kept(): Kept {
    return this.#machine.kept;
  }

  /** The session as this loop holds it, null when it does not. For whoever watches. */
  record(id: SessionId): WorkingRecord | null {
    return this.#machine.held(id);
  }

  isPrimary(id: SessionId): boolean {
    return this.#machine.isPrimary(id);
  }

  enter(view: View): void {
    this.#step({ kind: 'view', view });
  }

  linked(member: NodeId, incarnation: number, up: boolean): void {
    this.#step({ kind: 'link', member, incarnation, up });
  }

  received(from: NodeId, message: FromCopySide): void {
    this.#step({ kind: 'message', from, message });
  }

  receivedOwn(message: FromCopySide | FromOwnKeeper): void {
    this.#step({ kind: 'own', message });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  // ——— Engine ———

  mint(kin: SessionId | null): SessionId {
    return this.#options.mint(kin);
  }

  parse(text: string): SessionId | null {
    return this.#options.parse(text);
  }

  open(id: SessionId, request: RequestId, waitMs?: number): Held | null | Promise<Held | null> {
    const opened = this.#ask(id, (token) => ({ kind: 'open', id, request, token }), waitMs);
    const use = (answer: Answer | null): Held | null | Promise<Held | null> => {
      const record = this.#opened(answer);
      if (record === null) this.#unheld.note(id);
      return record?.deleted ? this.#ended(record, request, waitMs) : this.#usable(record);
    };
    return opened instanceof Promise ? opened.then(use) : use(opened);
  }

  create(id: SessionId, request: RequestId): Held {
    const answer = this.#ask(id, (token) => ({ kind: 'create', id, request, token }));
    if (answer instanceof Promise) throw new Error('broken invariant: a session is created in one step');
    const record = this.#opened(answer);
    if (record === null) throw new Error('broken invariant: a created session is there');
    return this.#session(record);
  }

  commit(held: Held, request: RequestId, input: CommitInput): Verdict | Promise<Verdict> {
    const ordinal = (this.#ordinals.get(request) ?? 0) + 1;
    this.#ordinals.set(request, ordinal);
    const at = Math.floor(this.#options.now());
    const create = held.mark.version === 0 ? { createdAt: at, expiresAt: at + this.#options.absoluteMs } : null;
    const { keyed, answer, carries, ...made } = input;
    const until = Math.min(at + this.#options.keyLifeMs, create?.expiresAt ?? held.expiresAt);
    const kept = keptBy({ request, keyed, answer }, carries, until);
    const named = carries.map(({ request: carried }) => carried);
    const commit: Commit = { ...made, request, ordinal, answer, carries: named, kept, create, at };
    return this.#verdict(held.id, (token) => ({ kind: 'commit', id: held.id, commit, token }));
  }

  safe(held: Held, request: RequestId): Verdict | Promise<Verdict> {
    return this.#verdict(held.id, (token) => ({ kind: 'safe', id: held.id, request, token }));
  }

  logged(held: Held, request: RequestId): LogEntry | null {
    return (held as HeldRecord).record.log.get(request) ?? null;
  }

  /** Waits until what is found is safe: a stored answer shows a committed version like any other. */
  async recall(id: SessionId, request: RequestId, key: KeyName | null): Promise<Recalled> {
    const record = this.#opened(await this.#ask(id, (token) => ({ kind: 'open', id, request, token })));
    try {
      if (record === null) return { entry: null, kept: null };
      const entry = record.log.get(request) ?? null;
      const kept = key === null ? null : findKept(record.kept, key, this.#options.now());
      if (entry === null && kept === null) return { entry, kept };
      const verdict = await this.safe(this.#session(record), request);
      if (verdict.kind !== 'safe') throw new LimpetError('LIMPET_MOVED');
      return { entry: record.log.get(request) ?? entry, kept };
    } finally {
      this.close(id, request);
    }
  }

  delivered(held: Held, request: RequestId): void {
    this.#step({ kind: 'delivered', id: held.id, request });
  }

  touch(held: Held): void {
    this.#step({ kind: 'touch', id: held.id });
  }

  close(id: SessionId, request: RequestId): void {
    this.#ordinals.delete(request);
    this.#step({ kind: 'close', id, request });
  }

  // ——— Steps and waits ———

  #usable(record: WorkingRecord | null): Held | null {
    if (record === null || record.deleted || this.#options.now() >= record.expiresAt) return null;
    return this.#session(record);
  }

  /** That a session has ended is told once its tombstone is safe: else a death could bring it back before the user's eyes (P4, P13). */
  #ended({ id }: WorkingRecord, request: RequestId, waitMs?: number): null | Promise<null> {
    const isSafe = (verdict: Verdict): null => {
      if (verdict.kind === 'safe') return null;
      if (verdict.kind === 'unknown' && verdict.why === 'deadline') throw this.#notLoaded();
      throw new LimpetError('LIMPET_MOVED');
    };
    const verdict = this.#verdict(id, (token) => ({ kind: 'safe', id, request, token }), waitMs);
    return verdict instanceof Promise ? verdict.then(isSafe) : isSafe(verdict);
  }

  #session(record: WorkingRecord): HeldRecord {
    const known = this.#held.get(record);
    if (known !== undefined) return known;
    const held = new HeldRecord(record);
    this.#held.set(record, held);
    return held;
  }

  #opened(answer: Answer | null): WorkingRecord | null {
    if (answer === null) throw this.#notLoaded();
    if (answer.kind === 'moved') throw new LimpetError('LIMPET_MOVED');
    if (answer.kind !== 'opened') throw new Error(`broken invariant: ${answer.kind} instead of opened`);
    return answer.record;
  }

  #notLoaded(): LimpetError {
    const { deadlineMs: ms } = this.#options;
    return new LimpetError('LIMPET_DEADLINE', { ms, what: 'the session could not be loaded' });
  }

  #verdict(id: SessionId, event: (token: number) => PrimaryEvent, waitMs?: number): Verdict | Promise<Verdict> {
    const answer = this.#ask(id, event, waitMs);
    return answer instanceof Promise ? answer.then(verdictOf) : verdictOf(answer);
  }

  /** At once when the machine answers within the step, else when it does or at the deadline (null). */
  #ask(
    id: SessionId,
    event: (token: number) => PrimaryEvent,
    waitMs = this.#options.deadlineMs,
  ): Answer | Promise<Answer | null> {
    this.#token += 1;
    const token = this.#token;
    this.#asked = token;
    this.#instant = null;
    const asked = event(token);
    this.#step(asked);
    this.#asked = 0;
    const instant: Answer | null = this.#instant;
    if (instant !== null) return instant;
    return new Promise((resolve) => {
      const untilMs = this.#options.now() + waitMs;
      const what = asked.kind === 'open' ? 'opening' : 'commit';
      this.#waits.set(token, { untilMs, what, id, answer: resolve });
    });
  }

  #step(event: PrimaryEvent): void {
    for (const effect of this.#machine.step(event, this.#options.now())) this.#perform(effect);
  }

  #perform(effect: PrimaryEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#options.send(effect.to, effect.message);
        return;
      case 'own':
        this.#options.own(effect.message);
        return;
      case 'more':
        this.#sweepAfter(effect.afterMs);
        return;
      case 'done':
        this.#report(effect.view, effect.isNews);
        return;
      default:
        this.#settle(effect);
    }
  }

  #sweepAfter(ms: number): void {
    if (ms > 0) setTimeout(() => this.#step({ kind: 'sweep', budget: sweepBudget }), ms).unref();
    else this.#slice ??= setImmediate(() => this.#sweepSlice());
  }

  #sweepSlice(): void {
    const begin = performance.now();
    do this.#step({ kind: 'sweep', budget: sweepBudget });
    while (this.#machine.sweeping && performance.now() - begin < sliceMs);
    this.#slice = null;
    if (this.#machine.sweeping) this.#sweepAfter(0);
  }

  #settle(answer: Answer): void {
    if (answer.token === this.#asked) {
      this.#instant = answer;
      return;
    }
    const wait = this.#waits.get(answer.token);
    this.#waits.delete(answer.token);
    wait?.answer(answer);
  }

  #report(view: ViewNumber, isNews: boolean): void {
    const name = `${view.term}.${view.number}`;
    const now = this.#options.now();
    if (!isNews && name === this.#reported && now - this.#reportedAtMs < reportAgainMs) return;
    this.#reported = name;
    this.#reportedAtMs = now;
    this.#options.done(view);
  }

  #tick(): void {
    const now = this.#options.now();
    for (const [token, wait] of this.#waits) {
      if (wait.untilMs > now) continue;
      this.#waits.delete(token);
      this.#options.late(wait.what, this.#machine.silent(wait.id));
      wait.answer(null);
    }
    this.#step({ kind: 'tick', lateMs: Math.max(0, now - this.#tickedAtMs - tickMs) });
    this.#tickedAtMs = this.#options.now();
  }
}
