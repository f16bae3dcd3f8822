import { assign } from './assignment.ts';
import type { NodeId, RequestId, SessionId } from './ids.ts';
import type {
  BetweenApps,
  Commit,
  FromCopySide,
  FromOwnKeeper,
  LogEntry,
  Mark,
  ToCopySide,
  ToOwnKeeper,
} from './messages.ts';
import type { Rank } from './rank.ts';
import {
  applyCommit,
  buryUnder,
  dropAnswer,
  emptyRecord,
  isSameMember,
  noMark,
  sameMark,
  snapshot,
  ViewHistory,
  type WorkingRecord,
  workingRecord,
} from './record.ts';
import { assert, unreachable } from './unreachable.ts';
import { compareViews, formatAddress, numberOf, type View, type ViewNumber } from './view.ts';

/** How long a new primary holds a session's requests for those still running at the former one, in milliseconds (P10). */
export const handoverWaitMs = 2_000;
/** Ids remembered as unknown within one view (P6). */
export const unknownMax = 10_000;
/** Delivered answers told to the copies in one message. */
const deliveredBatch = 512;
/** Records looked at per tick for the end of their life. */
const endedPerTick = 200;
/** The request named by writes that no request made: the end of an idle session. */
export const noRequest = '0'.repeat(32) as RequestId;

/** Names one wait of the caller; the machine answers each exactly once. */
export type Token = number;

/** How a commit, or the wait for one, ended. */
export type Settled =
  | { readonly kind: 'safe' }
  | { readonly kind: 'gone' }
  /** Not primary any more, and the new one would not take it. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'duplicate'; readonly answer: Uint8Array | null };

export type PrimaryEvent =
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'link'; readonly member: NodeId; readonly incarnation: number; readonly up: boolean }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: FromCopySide }
  | { readonly kind: 'own'; readonly message: FromCopySide | FromOwnKeeper }
  | { readonly kind: 'open'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  | { readonly kind: 'create'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  | { readonly kind: 'commit'; readonly id: SessionId; readonly commit: Commit; readonly token: Token }
  | { readonly kind: 'safe'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  | { readonly kind: 'delivered'; readonly id: SessionId; readonly request: RequestId }
  | { readonly kind: 'touch'; readonly id: SessionId }
  | { readonly kind: 'close'; readonly id: SessionId; readonly request: RequestId }
  | { readonly kind: 'sweep'; readonly budget: number }
  | { readonly kind: 'tick' };

export type PrimaryEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: ToCopySide }
  | { readonly kind: 'own'; readonly message: ToOwnKeeper | ToCopySide }
  /** The live record (tombstones too), or null for an unknown session. */
  | { readonly kind: 'opened'; readonly token: Token; readonly record: WorkingRecord | null }
  /** This member is not primary of the session in its view. */
  | { readonly kind: 'moved'; readonly token: Token }
  | { readonly kind: 'settled'; readonly token: Token; readonly settled: Settled }
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly view: ViewNumber };

/** A session this member is primary of. */
interface Entry {
  readonly record: WorkingRecord;
  seen: View;
  /** The rest of the write set. Invariant: the keys of `acked` are exactly these. */
  others: readonly NodeId[];
  /** The version each has acknowledged; `unsynced` until it has shown that it holds this history at all. */
  readonly acked: Map<NodeId, number>;
  waiters: Waiter[];
  handover: { readonly running: Map<RequestId, NodeId>; readonly untilMs: number } | null;
  /** Opens held until the handover is over. */
  blocked: Token[];
  /** The id buried when this session was made (P15): whoever needs this record needs that tombstone first. */
  buries: SessionId | null;
  /** Holders to be told once the whole write set has it; not before, else they would report a view done too early (P9). */
  readonly holders: Set<NodeId>;
  touchedAtMs: number;
}

const unsynced = -1;

interface Waiter {
  readonly version: number;
  readonly done: { readonly token: Token } | { readonly reply: NodeId; readonly sequence: number };
}

/** A session this member was primary of, kept while requests that began here still run (P10). */
interface Former {
  target: NodeId | null;
  /**
   * The requests that began here, each with the record it works on. Should this member become primary again, they still
   * commit by way of a forward: the record then installed is another.
   */
  readonly running: Map<RequestId, WorkingRecord>;
  readonly pending: Map<number, { readonly token: Token; readonly commit: Commit | null; readonly request: RequestId }>;
}

interface Opening {
  readonly view: View;
  readonly expected: ReadonlySet<NodeId>;
  readonly answers: Map<NodeId, FromCopySide & { readonly kind: 'claimed' }>;
  readonly tokens: Token[];
  readonly relayed: { readonly from: NodeId; readonly message: BetweenApps }[];
}

/**
 * The primary side of a member: what its app loop runs. Commits (P2), releases (P4), view changes (P5), claims (P6),
 * its half of joins (P9) and handovers (P10). No sockets, clock or dice: the caller performs the effects.
 *
 * Invariants: `safe` is said only of a version that every other member of the write set has acknowledged in this
 * view, or that the present primary has confirmed; a session is committed by one incarnation per view.
 */
export class PrimaryMachine {
  readonly #self: NodeId;
  readonly #address: string;
  readonly #rank: Rank;
  readonly #idleMs: number;
  readonly #views = new ViewHistory();
  readonly #entries = new Map<SessionId, Entry>();
  readonly #formers = new Map<SessionId, Former>();
  readonly #openings = new Map<SessionId, Opening>();
  readonly #running = new Map<SessionId, Set<RequestId>>();
  readonly #unknown = new Set<SessionId>();
  /** Entries with a member that has not shown yet that it holds them. */
  readonly #unprotected = new Set<SessionId>();
  /** Entries that hold their requests for a former primary's. */
  readonly #handovers = new Set<SessionId>();
  /** Members whose keeper can be reached, by incarnation. */
  readonly #links = new Map<NodeId, number>();
  #delivered: [SessionId, RequestId][] = [];
  #future: (
    | { readonly from: NodeId; readonly message: FromCopySide }
    | { readonly from: null; readonly message: FromCopySide | FromOwnKeeper }
  )[] = [];
  #sweep: Iterator<SessionId> | null = null;
  #oldest: Iterator<[SessionId, Entry]> | null = null;
  #sequence = 0;
  #nowMs = 0;
  #effects: PrimaryEffect[] = [];

  constructor(options: {
    readonly self: NodeId;
    readonly incarnation: number;
    readonly rank: Rank;
    /** Idle limit of a session, in milliseconds. */
    readonly idleMs: number;
  }) {
    this.#self = options.self;
    this.#address = formatAddress({ id: options.self, incarnation: options.incarnation });
    this.#rank = options.rank;
    this.#idleMs = options.idleMs;
  }

  get view(): View | null {
    return this.#views.current;
  }

  /** Sessions held as primary, tombstones included. */
  get size(): number {
    return this.#entries.size;
  }

  /** Sessions with fewer copies than asked for. */
  get unprotected(): number {
    return this.#unprotected.size;
  }

  /** Sessions held as primary that were not destroyed, for statistics. */
  *records(): IterableIterator<WorkingRecord> {
    for (const { record } of this.#entries.values()) if (!record.deleted && record.mark.version > 0) yield record;
  }

  /** Whether this member is primary of the session in its own view (P1). */
  isPrimary(id: SessionId): boolean {
    const view = this.#views.current;
    return view !== null && this.#isListed(view) && assign(this.#rank, view, id).primary === this.#self;
  }

  /** What the session's log remembers of the request, for a session held here. */
  logged(id: SessionId, request: RequestId): LogEntry | null {
    return this.#entries.get(id)?.record.log.get(request) ?? null;
  }

  /** Event and time in (milliseconds, never going back), effects out. Never throws for what a network can cause. */
  step(event: PrimaryEvent, nowMs: number): readonly PrimaryEffect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    switch (event.kind) {
      case 'view':
        this.#enter(event.view);
        break;
      case 'link':
        this.#linked(event);
        break;
      case 'message':
        this.#receive(event.from, event.message);
        break;
      case 'own':
        this.#receiveOwn(event.message);
        break;
      case 'open':
        this.#run(event.id, event.request);
        this.#open(event.id, event.token);
        break;
      case 'create':
        this.#run(event.id, event.request);
        this.#create(event.id, event.token);
        break;
      case 'commit':
        this.#commit(event.id, event.commit, event.token);
        break;
      case 'safe':
        this.#gate(event.id, event.request, event.token);
        break;
      case 'delivered':
        this.#deliver(event.id, event.request);
        break;
      case 'touch': {
        const entry = this.#entries.get(event.id);
        if (entry !== undefined) entry.touchedAtMs = nowMs;
        break;
      }
      case 'close':
        this.#close(event.id, event.request);
        break;
      case 'sweep':
        this.#sweepSome(event.budget);
        break;
      case 'tick':
        this.#tick();
        break;
      default:
        unreachable(event);
    }
    return this.#effects;
  }

  // ——— Opening a session: held here, claimed from the others (P6), or not ours ———

  #run(id: SessionId, request: RequestId): void {
    const running = this.#running.get(id);
    if (running === undefined) this.#running.set(id, new Set([request]));
    else running.add(request);
  }

  #open(id: SessionId, token: Token): void {
    const view = this.#views.current;
    const entry = this.#advance(id);
    if (entry !== undefined) {
      if (entry.handover !== null) entry.blocked.push(token);
      else this.#opened(entry, token);
    } else if (view === null || !this.isPrimary(id)) {
      this.#effects.push({ kind: 'moved', token });
    } else if (this.#unknown.has(id)) {
      this.#effects.push({ kind: 'opened', token, record: null });
    } else {
      this.#claim(id, view).tokens.push(token);
      this.#resolve(id);
    }
  }

  /** A session found idle past its limit ends here, whether or not the sweep has come by. */
  #opened(entry: Entry, token: Token): void {
    const { id, deleted } = entry.record;
    const alone = (this.#running.get(id)?.size ?? 0) <= 1;
    if (!deleted && alone && this.#nowMs - entry.touchedAtMs > this.#idleMs) this.#endIdle(id);
    entry.touchedAtMs = this.#nowMs;
    this.#effects.push({ kind: 'opened', token, record: entry.record });
  }

  #create(id: SessionId, token: Token): void {
    const view = this.#views.current;
    if (view === null || !this.isPrimary(id)) {
      this.#effects.push({ kind: 'moved', token });
      return;
    }
    const entry = this.#install(emptyRecord(id), view, new Map());
    this.#opened(entry, token);
  }

  /** Asks every member's copy side, its own included. */
  #claim(id: SessionId, view: View): Opening {
    const known = this.#openings.get(id);
    if (known !== undefined) return known;
    const expected = new Set(Object.values(view.members).map((member) => member.id));
    const opening: Opening = { view, expected, answers: new Map(), tokens: [], relayed: [] };
    this.#openings.set(id, opening);
    for (const member of expected) this.#sendTo(member, { kind: 'claim', id, view: numberOf(view) });
    return opening;
  }

  /** All have answered: the newest custody, then the highest version, is the session. */
  #resolve(id: SessionId): void {
    const opening = this.#openings.get(id);
    if (opening === undefined || opening.answers.size < opening.expected.size) return;
    this.#openings.delete(id);
    let best: (FromCopySide & { readonly kind: 'claimed' }) | null = null;
    const marks = new Map<NodeId, Mark>();
    const running = new Map<RequestId, NodeId>();
    for (const [member, answer] of opening.answers) {
      for (const request of answer.running) running.set(request, member);
      if (answer.record === null || answer.custody === null) continue;
      marks.set(member, answer.record.mark);
      if (best === null || isNewer(answer, best)) best = answer;
    }
    if (best === null || best.record === null) {
      if (this.#unknown.size < unknownMax) this.#unknown.add(id);
      for (const token of opening.tokens) this.#effects.push({ kind: 'opened', token, record: null });
      for (const { from, message } of opening.relayed) this.#refuse(from, message);
      return;
    }
    const entry = this.#install(workingRecord(best.record), opening.view, marks);
    if (running.size > 0) {
      entry.handover = { running, untilMs: this.#nowMs + handoverWaitMs };
      this.#handovers.add(id);
    }
    for (const { from, message } of opening.relayed) this.#receiveRelayed(from, message);
    for (const token of opening.tokens) {
      if (entry.handover !== null) entry.blocked.push(token);
      else this.#opened(entry, token);
    }
  }

  /** Primary from now on. `marks`: what each member said it holds; the same mark needs a digest only. */
  #install(record: WorkingRecord, view: View, marks: ReadonlyMap<NodeId, Mark>): Entry {
    const others = this.#othersOf(view, record.id);
    const acked = new Map(others.map((member) => [member, unsynced]));
    const entry: Entry = {
      record,
      seen: view,
      others,
      acked,
      waiters: [],
      handover: null,
      blocked: [],
      buries: null,
      holders: new Set(marks.keys()),
      touchedAtMs: this.#nowMs,
    };
    this.#entries.set(record.id, entry);
    this.#unknown.delete(record.id);
    if (record.mark.version > 0) {
      if (others.length > 0) this.#unprotected.add(record.id);
      for (const member of others) this.#sync(entry, member, marks.get(member) ?? null);
      this.#release(entry);
    }
    return entry;
  }

  #sync(entry: Entry, member: NodeId, theirs: Mark | null): void {
    if (theirs !== null && sameMark(theirs, entry.record.mark)) this.#sendDigest(entry, member);
    else this.#sendRecord(entry, member);
  }

  #sendDigest({ record }: Entry, member: NodeId): void {
    this.#sendTo(member, { kind: 'digest', id: record.id, view: numberOf(this.#currentView()), mark: record.mark });
  }

  #sendRecord({ record, buries }: Entry, member: NodeId): void {
    const buried = buries === null ? undefined : this.#entries.get(buries);
    if (buried !== undefined && (buried.acked.get(member) ?? unsynced) < buried.record.mark.version) {
      this.#sendTo(member, { kind: 'record', view: numberOf(this.#currentView()), record: snapshot(buried.record) });
    }
    this.#sendTo(member, { kind: 'record', view: numberOf(this.#currentView()), record: snapshot(record) });
  }

  // ——— Commits and the gate (P2, P4, P16) ———

  #commit(id: SessionId, commit: Commit, token: Token): void {
    const entry = this.#advance(id);
    const former = this.#formers.get(id)?.running.has(commit.request) === true;
    if (entry !== undefined && !former) this.#commitHere(entry, commit, { token });
    else this.#forward(id, commit.request, commit, token);
  }

  #commitHere(entry: Entry, commit: Commit, done: Waiter['done']): void {
    const { record } = entry;
    const earlier = record.log.get(commit.request);
    if (earlier !== undefined && earlier.state === 'committed' && earlier.commits >= commit.ordinal) {
      // The same commit again (a forward sent twice), or another attempt of the request that was quicker.
      if ('token' in done) this.#settle(done, { kind: 'duplicate', answer: earlier.answer });
      else this.#wait(entry, record.mark.version, done);
      return;
    }
    if (record.deleted) {
      this.#settle(done, { kind: 'gone' });
      return;
    }
    const view = this.#currentView();
    const previous = record.mark;
    const mark: Mark = { version: previous.version + 1, view: numberOf(view), by: this.#address };
    const old = commit.bury === null ? undefined : this.#advance(commit.bury);
    const buried: Mark | null = old === undefined ? null : { ...mark, version: old.record.mark.version + 1 };
    applyCommit(record, mark, commit);
    if (old !== undefined && buried !== null) {
      buryUnder(old.record, buried, commit);
      entry.buries = commit.bury;
    }
    for (const member of entry.others) {
      this.#sendTo(member, { kind: 'write', id: record.id, view: numberOf(view), previous, mark, buried, commit });
    }
    if (previous.version === 0 && entry.others.length > 0) this.#unprotected.add(record.id);
    this.#wait(entry, mark.version, done);
  }

  /** Says `safe` once the whole write set has acknowledged the version. */
  #wait(entry: Entry, version: number, done: Waiter['done']): void {
    if (acknowledged(entry) >= version) this.#settle(done, { kind: 'safe' });
    else entry.waiters.push({ version, done });
  }

  #gate(id: SessionId, request: RequestId, token: Token): void {
    const entry = this.#advance(id);
    const former = this.#formers.get(id)?.running.has(request) === true;
    if (entry !== undefined && !former) this.#wait(entry, entry.record.mark.version, { token });
    else this.#forward(id, request, null, token);
  }

  #settle(done: Waiter['done'], settled: Settled): void {
    if ('token' in done) {
      this.#effects.push({ kind: 'settled', token: done.token, settled });
      return;
    }
    const verdict = settled.kind === 'gone' ? 'gone' : settled.kind === 'refused' ? 'refused' : 'safe';
    this.#reply(done.reply, done.sequence, verdict);
  }

  #reply(to: NodeId, sequence: number, verdict: 'safe' | 'refused' | 'gone'): void {
    this.#relay(to, { kind: 'forwarded', sequence, verdict });
  }

  #release(entry: Entry): void {
    const safe = acknowledged(entry);
    if (safe !== unsynced) {
      this.#unprotected.delete(entry.record.id);
      for (const member of entry.holders) this.#confirm(entry, member);
      entry.holders.clear();
    }
    if (entry.waiters.length === 0) return;
    const open = entry.waiters.filter((waiter) => waiter.version <= safe);
    if (open.length === 0) return;
    entry.waiters = entry.waiters.filter((waiter) => waiter.version > safe);
    for (const { done } of open) this.#settle(done, { kind: 'safe' });
  }

  #confirm({ record: { id } }: Entry, member: NodeId): void {
    if (member === this.#self) this.#effects.push({ kind: 'own', message: { kind: 'taken', id } });
    else this.#sendTo(member, { kind: 'confirmed', id, view: numberOf(this.#currentView()) });
  }

  #deliver(id: SessionId, request: RequestId): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || (entry.record.log.get(request)?.answer ?? null) === null) return;
    dropAnswer(entry.record, request);
    this.#delivered.push([id, request]);
    if (this.#delivered.length >= deliveredBatch) this.#flushDelivered();
  }

  /** To every member, not sorted by write set: one small batch for all costs less than one for each. */
  #flushDelivered(): void {
    const view = this.#views.current;
    if (view === null || this.#delivered.length === 0) return;
    const message = { kind: 'delivered', requests: this.#delivered } as const;
    this.#delivered = [];
    for (const member of Object.values(view.members)) {
      if (member.id !== this.#self) this.#sendTo(member.id, message);
    }
  }

  // ——— Messages ———

  #receive(from: NodeId, message: FromCopySide): void {
    const view = this.#views.current;
    const order = view === null ? 1 : compareViews(message.view, view);
    if (order > 0) this.#future.push({ from, message });
    // An answer within an older view says nothing about this one: what it answered was sent again on entering (P5).
    if (order !== 0) return;
    switch (message.kind) {
      case 'ack': {
        const entry = this.#advance(message.id);
        const acked = entry?.acked.get(from);
        if (entry === undefined || acked === undefined || acked >= message.version) return;
        entry.acked.set(from, message.version);
        this.#release(entry);
        return;
      }
      case 'need': {
        const entry = this.#advance(message.id);
        if (entry?.acked.has(from) === true) this.#sendRecord(entry, from);
        return;
      }
      case 'claimed': {
        const opening = this.#openings.get(message.id);
        if (opening?.expected.has(from) !== true || compareViews(opening.view, message.view) !== 0) return;
        opening.answers.set(from, message);
        this.#resolve(message.id);
        return;
      }
      case 'offer':
        for (const id of message.ids) this.#offered(from, id);
        return;
      default:
        unreachable(message);
    }
  }

  /** A holder shows what it has: the primary takes it, or shows that it holds it already. */
  #offered(from: NodeId, id: SessionId): void {
    const entry = this.#advance(id);
    if (entry !== undefined) {
      if (this.#unprotected.has(id)) entry.holders.add(from);
      else this.#confirm(entry, from);
      return;
    }
    if (!this.isPrimary(id)) return;
    this.#unknown.delete(id);
    this.#claim(id, this.#currentView());
    this.#resolve(id);
  }

  #receiveOwn(message: FromCopySide | FromOwnKeeper): void {
    if (message.kind === 'relayed') {
      this.#receiveRelayed(message.from, message.message);
      return;
    }
    if (message.kind !== 'demote') {
      this.#receive(this.#self, message);
      return;
    }
    const view = this.#views.current;
    if (view === null || compareViews(message.view, view) > 0) {
      this.#future.push({ from: null, message });
      return;
    }
    this.#advance(message.id); // Hands the record down, if there is one.
    const running = [...(this.#running.get(message.id) ?? [])];
    const demoted = { kind: 'demoted', id: message.id, view: numberOf(view), record: null, running } as const;
    this.#effects.push({ kind: 'own', message: demoted });
  }

  // ——— Handover (P10): the new primary's half ———

  #receiveRelayed(from: NodeId, message: BetweenApps): void {
    if (message.kind === 'forwarded') {
      this.#forwarded(message);
      return;
    }
    if (message.kind === 'finished') {
      this.#finishedThere(from, message.id, message.request);
      return;
    }
    const view = this.#views.current;
    if (view === null || compareViews(message.view, view) > 0) {
      this.#future.push({ from: null, message: { kind: 'relayed', from, message } });
      return;
    }
    const entry = this.#advance(message.id);
    if (entry === undefined) {
      // Not primary here: the sender will learn of the newer view and turn to whoever is.
      if (!this.isPrimary(message.id)) return;
      this.#claim(message.id, view).relayed.push({ from, message });
      this.#resolve(message.id);
      return;
    }
    const reply = { reply: from, sequence: message.sequence };
    if (message.kind === 'confirm') {
      this.#wait(entry, entry.record.mark.version, reply);
      return;
    }
    const { commit } = message;
    const known = (entry.record.log.get(commit.request)?.commits ?? 0) >= commit.ordinal;
    if (known || entry.handover?.running.has(commit.request) === true) this.#commitHere(entry, commit, reply);
    else this.#refuse(from, message);
  }

  #refuse(from: NodeId, message: BetweenApps): void {
    if (message.kind === 'forward' || message.kind === 'confirm') this.#reply(from, message.sequence, 'refused');
  }

  #finishedThere(from: NodeId, id: SessionId, request: RequestId): void {
    const entry = this.#entries.get(id);
    if (entry?.handover?.running.get(request) !== from) return;
    entry.handover.running.delete(request);
    if (entry.handover.running.size === 0) this.#endHandover(entry);
  }

  #endHandover(entry: Entry): void {
    entry.handover = null;
    this.#handovers.delete(entry.record.id);
    const { blocked } = entry;
    entry.blocked = [];
    for (const token of blocked) this.#opened(entry, token);
  }

  // ——— Handover: the former primary's half ———

  #demote(id: SessionId, entry: Entry, view: View, primary: NodeId | null): void {
    this.#entries.delete(id);
    this.#unprotected.delete(id);
    const running = [...(this.#running.get(id) ?? [])];
    const record = entry.record.mark.version === 0 ? null : snapshot(entry.record);
    this.#effects.push({
      kind: 'own',
      message: { kind: 'demoted', id, view: numberOf(this.#currentView()), record, running },
    });
    for (const token of entry.blocked) this.#effects.push({ kind: 'moved', token });
    const former: Former = this.#formers.get(id) ?? { target: primary, running: new Map(), pending: new Map() };
    for (const request of running) if (!former.running.has(request)) former.running.set(request, entry.record);
    for (const { done } of entry.waiters) {
      if ('token' in done) this.#addPending(former, id, done.token, noRequest, null);
      // A forward of an even earlier primary: it resends to whoever is primary now.
    }
    if (former.running.size > 0 || former.pending.size > 0) this.#formers.set(id, former);
    assert(view === entry.seen, 'demoted in the view it was brought to');
  }

  /** A commit or a held response of a request that began here before the handover: only the new primary can settle it. */
  #forward(id: SessionId, request: RequestId, commit: Commit | null, token: Token): void {
    const former = this.#formers.get(id);
    if (former === undefined) {
      this.#effects.push({ kind: 'settled', token, settled: { kind: 'refused' } });
      return;
    }
    const record = former.running.get(request);
    // The next diff of a request of this session starts from what this one changed.
    if (commit !== null && record !== undefined) applyCommit(record, record.mark, commit);
    this.#addPending(former, id, token, request, commit);
  }

  #addPending(former: Former, id: SessionId, token: Token, request: RequestId, commit: Commit | null): void {
    this.#sequence += 1;
    former.pending.set(this.#sequence, { token, commit, request });
    this.#sendPending(former, id, this.#sequence);
  }

  #sendPending(former: Former, id: SessionId, sequence: number): void {
    const pending = former.pending.get(sequence);
    const view = this.#views.current;
    if (pending === undefined || former.target === null || view === null) return;
    const { commit, request } = pending;
    const message: BetweenApps =
      commit === null
        ? { kind: 'confirm', id, view: numberOf(view), request, sequence }
        : { kind: 'forward', id, view: numberOf(view), commit, sequence };
    this.#relay(former.target, message);
  }

  #forwarded({ sequence, verdict }: BetweenApps & { readonly kind: 'forwarded' }): void {
    for (const [id, former] of this.#formers) {
      const pending = former.pending.get(sequence);
      if (pending === undefined) continue;
      former.pending.delete(sequence);
      this.#effects.push({ kind: 'settled', token: pending.token, settled: { kind: verdict } });
      this.#forget(id, former);
      return;
    }
  }

  #close(id: SessionId, request: RequestId): void {
    const running = this.#running.get(id);
    if (running === undefined || !running.delete(request)) return;
    if (running.size === 0) this.#running.delete(id);
    const entry = this.#entries.get(id);
    // Created by this request and never committed: nobody else knows of it.
    if (entry !== undefined && entry.record.mark.version === 0 && running.size === 0) this.#entries.delete(id);
    const former = this.#formers.get(id);
    if (former?.running.delete(request) !== true) return;
    this.#effects.push({ kind: 'own', message: { kind: 'finished', id, request } });
    if (former.target !== null) this.#relay(former.target, { kind: 'finished', id, request });
    this.#forget(id, former);
  }

  #forget(id: SessionId, former: Former): void {
    if (former.pending.size === 0 && former.running.size === 0) this.#formers.delete(id);
  }

  // ——— View changes (P5) ———

  #enter(view: View): void {
    const former = this.#views.current;
    if (!this.#views.append(view)) return;
    this.#unknown.clear();
    for (const [member, incarnation] of this.#links) {
      if (view.members[member]?.incarnation !== incarnation) this.#links.delete(member);
    }
    const openings = [...this.#openings];
    this.#openings.clear();
    for (const [id, opening] of openings) {
      if (!this.isPrimary(id)) {
        for (const token of opening.tokens) this.#effects.push({ kind: 'moved', token });
        continue;
      }
      const again = this.#claim(id, view);
      again.tokens.push(...opening.tokens);
      again.relayed.push(...opening.relayed);
      this.#resolve(id);
    }
    for (const [id, gone] of this.#formers) {
      const { primary } = assign(this.#rank, view, id);
      const same = former !== null && primary === gone.target && primary !== null && isSameMember(former, view, primary);
      gone.target = primary;
      if (!same) for (const sequence of gone.pending.keys()) this.#sendPending(gone, id, sequence);
    }
    this.#sweep = this.#entries.keys();
    this.#effects.push({ kind: 'more' });
    const held = this.#future;
    this.#future = [];
    for (const { from, message } of held) {
      if (from === null) this.#receiveOwn(message);
      else this.#receive(from, message);
    }
  }

  /** Brings one entry to the current view, through every view in between; undefined when it is no longer held here. */
  #advance(id: SessionId): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const views = this.#views.after(entry.seen);
    if (views.length === 0) return entry;
    const fresh = new Set<NodeId>();
    for (const view of views) {
      const { primary } = assign(this.#rank, view, id);
      const before = entry.seen;
      entry.seen = view;
      if (primary !== this.#self) {
        this.#demote(id, entry, view, assign(this.#rank, this.#currentView(), id).primary);
        return undefined;
      }
      const others = this.#othersOf(view, id);
      for (const member of entry.others) {
        if (!others.includes(member) || !isSameMember(before, view, member)) entry.acked.delete(member);
      }
      for (const member of others) {
        if (entry.acked.has(member)) continue;
        entry.acked.set(member, unsynced);
        fresh.add(member);
      }
      entry.others = others;
      this.#endHandoverOf(entry, view);
    }
    if (entry.record.mark.version > 0) {
      for (const member of entry.others) {
        // In flight under a former view: refused there, so it is sent again under this one.
        if (fresh.has(member) || (entry.acked.get(member) ?? unsynced) < entry.record.mark.version) {
          this.#sendRecord(entry, member);
        }
      }
      if (fresh.size > 0) this.#unprotected.add(id);
      this.#release(entry);
    }
    return entry;
  }

  /** A former primary that is no longer a member forwards nothing more. */
  #endHandoverOf(entry: Entry, view: View): void {
    if (entry.handover === null) return;
    for (const [request, member] of entry.handover.running) {
      if (view.members[member] === undefined) entry.handover.running.delete(request);
    }
    if (entry.handover.running.size === 0) this.#endHandover(entry);
  }

  #sweepSome(budget: number): void {
    if (this.#sweep === null) return;
    for (let left = budget; left > 0; left -= 1) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = null;
        this.#views.forgetFormer();
        this.#effects.push({ kind: 'own', message: { kind: 'swept', view: numberOf(this.#currentView()) } });
        this.#report();
        return;
      }
      this.#advance(next.value);
    }
    this.#effects.push({ kind: 'more' });
  }

  /** Done with a view: every record brought to it and held by its whole write set (P9). */
  #report(): void {
    const view = this.#views.current;
    if (view === null || this.#sweep !== null || this.#unprotected.size > 0) return;
    this.#effects.push({ kind: 'done', view: numberOf(view) });
  }

  #linked({ member, incarnation, up }: PrimaryEvent & { readonly kind: 'link' }): void {
    if (!up) {
      if (this.#links.get(member) === incarnation) this.#links.delete(member);
      return;
    }
    const view = this.#views.current;
    // Late news of a connection to a former incarnation.
    if (view === null || view.members[member]?.incarnation !== incarnation) return;
    this.#links.set(member, incarnation);
    // Whatever was sent on a former connection may be lost: everything unanswered is sent again.
    for (const [id, opening] of this.#openings) {
      if (opening.expected.has(member) && !opening.answers.has(member)) {
        this.#sendTo(member, { kind: 'claim', id, view: numberOf(opening.view) });
      }
    }
    for (const id of this.#entries.keys()) {
      const entry = this.#advance(id);
      const acked = entry?.acked.get(member);
      if (entry === undefined || acked === undefined || entry.record.mark.version === 0) continue;
      if (acked < entry.record.mark.version) this.#sendRecord(entry, member);
    }
    for (const [id, former] of this.#formers) {
      if (former.target !== member) continue;
      for (const sequence of former.pending.keys()) this.#sendPending(former, id, sequence);
    }
  }

  #tick(): void {
    this.#flushDelivered();
    for (const id of this.#handovers) {
      const entry = this.#entries.get(id);
      if (entry === undefined) this.#handovers.delete(id);
      else if (entry.handover !== null && this.#nowMs >= entry.handover.untilMs) this.#endHandover(entry);
    }
    this.#expire();
    this.#report();
  }

  /** Ends idle sessions with a tombstone and forgets what is past its absolute end, a slice per tick (P14). */
  #expire(): void {
    this.#oldest ??= this.#entries.entries();
    for (let left = endedPerTick; left > 0; left -= 1) {
      const next = this.#oldest.next();
      if (next.done === true) {
        this.#oldest = null;
        return;
      }
      const [id, { record, touchedAtMs, waiters }] = next.value;
      if (record.mark.version === 0 || this.#running.has(id)) continue;
      if (this.#nowMs > record.expiresAt && waiters.length === 0) {
        this.#entries.delete(id);
        this.#unprotected.delete(id);
      } else if (!record.deleted && this.#nowMs - touchedAtMs > this.#idleMs) {
        this.#endIdle(id);
      }
    }
  }

  #endIdle(id: SessionId): void {
    const entry = this.#advance(id);
    if (entry === undefined) return;
    const ordinal = (entry.record.log.get(noRequest)?.commits ?? 0) + 1;
    const change = { set: new Map(), remove: [] };
    const at = this.#nowMs;
    const commit: Commit = { request: noRequest, ordinal, change, destroy: true, carries: [], answer: null, create: null, bury: null, at };
    this.#commitHere(entry, commit, { token: 0 });
  }

  // ——— Small things ———

  #currentView(): View {
    const view = this.#views.current;
    assert(view !== null, 'a primary has a view');
    return view;
  }

  #isListed(view: View): boolean {
    const me = view.members[this.#self];
    return me !== undefined && formatAddress(me) === this.#address;
  }

  #othersOf(view: View, id: SessionId): readonly NodeId[] {
    return assign(this.#rank, view, id).writeSet.filter((member) => member !== this.#self);
  }

  #relay(to: NodeId, message: BetweenApps): void {
    if (to === this.#self) this.#receiveRelayed(to, message);
    else this.#sendTo(to, { kind: 'relay', message });
  }

  /** Dropped while there is no link: what matters is sent again when there is one (`link`). */
  #sendTo(to: NodeId, message: ToCopySide): void {
    if (to === this.#self) this.#effects.push({ kind: 'own', message });
    else if (this.#links.has(to)) this.#effects.push({ kind: 'send', to, message });
  }
}

/** The least acknowledged version over all other members of the write set; infinite when there is none. */
const acknowledged = ({ others, acked }: Entry): number =>
  others.reduce((least, member) => Math.min(least, acked.get(member) ?? unsynced), Number.POSITIVE_INFINITY);

type Claimed = FromCopySide & { readonly kind: 'claimed' };

function isNewer(a: Claimed, b: Claimed): boolean {
  const custody = compareViews(a.custody ?? noMark.view, b.custody ?? noMark.view);
  return custody > 0 || (custody === 0 && (a.record?.mark.version ?? 0) > (b.record?.mark.version ?? 0));
}
