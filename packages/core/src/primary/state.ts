import { assign } from '../assignment.ts';
import { type Bounds, bounds } from '../bounds.ts';
import type { NodeId, RequestId, SessionId } from '../ids.ts';
import { type Lifetimes, logKeptMs, tombstoneKeptMs, touchEveryMs, touchGraceMs } from '../lifetimes.ts';
import type { BetweenApps, Commit, FromCopySide, FromOwnKeeper, Mark, ToCopySide } from '../messages.ts';
import type { Rank } from '../rank.ts';
import type { WorkingRecord } from '../record.ts';
import { assert } from '../unreachable.ts';
import { formatAddress, type View, type ViewNumber } from '../view.ts';
import { ViewHistory } from '../view-history.ts';
import { Bucket } from './bucket.ts';
import type { PrimaryEffect, Settled, Token } from './events.ts';
import { Lane } from './lane.ts';
import { Queue } from './queue.ts';

/** What `acked` says of a member that has not shown yet that it holds this history at all. */
export const unsynced = -1;

/** A session this member is primary of. */
export interface Entry {
  readonly record: WorkingRecord;
  /** The view it was last brought to. */
  seen: View;
  /** The rest of the write set. Invariant: the keys of `acked` are exactly these. */
  others: readonly NodeId[];
  /** The version each has acknowledged under this primary, or `unsynced`. */
  readonly acked: Map<NodeId, number>;
  waiters: Waiter[];
  /** Requests still running at the former primary: this session's own wait for them, but not for ever (P10). */
  handover: { readonly running: Map<RequestId, NodeId>; readonly untilMs: number } | null;
  /** Where forwards go on from: the version taken over, whose forwards alone have been made on it, and what they came to. */
  taken: { readonly base: Mark; readonly by: NodeId | null; readonly mark: Mark };
  /** Opens held until the handover is over. */
  blocked: Token[];
  /** The id buried when this session was made (P15), and the other way round: whoever lacks both gets them together. */
  buries: SessionId | null;
  heir: SessionId | null;
  /** Holders to be told once the whole write set has it; not before, else they would report a view done too early (P9). */
  readonly holders: Set<NodeId>;
  /** Members that have shown this very version before they were sent anything; null: nobody was asked. */
  alike: ReadonlySet<NodeId> | null;
  /** Under which holders it is counted in `holdings`, null while it is not. */
  counted: string | null;
  /** The last use that its copies were told of, in milliseconds since the epoch. */
  toldAt: number;
  /** How much later than it says the session may have been used: it was taken over from another member (P14). */
  graceMs: number;
}

/** Someone waits for a version to be safe: a response of this worker, or one held at the former primary. */
export interface Waiter {
  readonly version: number;
  readonly done: Done;
  /** What it is told then. A token is told nothing but `safe` this way. */
  readonly settled: Settled;
}

export type Done =
  | { readonly token: Token }
  /** `mark`: the version that the forward has made. */
  | { readonly reply: NodeId; readonly sequence: number; readonly mark?: Mark | null };

/** A session this member was primary of, kept while requests that began here still run (P10). */
export interface Former {
  target: NodeId | null;
  /** The view since which the target has been primary: the same incarnation, without a break. */
  since: ViewNumber;
  /**
   * The requests that began here, each with the record it works on. Should this member become primary again, they still
   * commit by way of a forward: the record then installed is another.
   */
  readonly running: Map<RequestId, Work>;
  readonly pending: Map<number, Pending>;
}

/** What the requests that began here before a demotion work on: the record as it was, with what they have changed since. */
export interface Work {
  readonly record: WorkingRecord;
  /** The version that their next change is made on: that of the demotion, then each that came of a forward. */
  base: Mark;
  /** A forward was refused. What is made on top of it lacks nothing here and would lack it everywhere else: never sent. */
  isCut: boolean;
}

/** A forward, or a held response (`commit` null), that the new primary has not settled. */
export interface Pending {
  readonly token: Token;
  readonly commit: Commit | null;
  readonly request: RequestId;
  readonly work: Work | null;
}

/** A claim under way (P6): who was asked, who answered, who waits. */
export interface Opening {
  readonly view: View;
  readonly expected: ReadonlySet<NodeId>;
  readonly answers: Map<NodeId, FromCopySide & { readonly kind: 'claimed' }>;
  readonly tokens: Token[];
  readonly relayed: Relayed[];
}

export interface Relayed {
  readonly from: NodeId;
  readonly message: BetweenApps;
  /** It waited for the claim, so nobody has been served here before it (P10). */
  readonly isEarly?: boolean;
}

/** A message that came before its view; `from` null: from the own keeper. */
export type Early =
  | { readonly from: NodeId; readonly message: FromCopySide }
  | { readonly from: null; readonly message: FromCopySide | FromOwnKeeper };

/** Offered sessions taken up per second while no request waits for them (P12). */
const quietPerSecond = 2_000;

/** Everything the primary side of a member knows. The rules are the functions of this folder; `primary.ts` lists them. */
export class PrimaryState {
  readonly self: NodeId;
  readonly address: string;
  readonly rank: Rank;
  readonly bounds: Bounds;
  readonly idleMs: number;
  readonly touchEveryMs: number;
  readonly touchGraceMs: number;
  readonly logKeptMs: number;
  readonly tombstoneKeptMs: number;
  readonly views = new ViewHistory();
  readonly entries = new Map<SessionId, Entry>();
  readonly formers = new Map<SessionId, Former>();
  /** The session of every `pending` of a former, by its sequence number. */
  readonly forwards = new Map<number, SessionId>();
  readonly openings = new Map<SessionId, Opening>();
  /** Every request that has opened a session here and not closed it. */
  readonly running = new Map<SessionId, Set<RequestId>>();
  /** Ids that nobody holds in this view. */
  readonly unknown = new Set<SessionId>();
  /** Entries with a member that is `unsynced`. */
  readonly unsynced = new Set<SessionId>();
  /** Entries with waiters. */
  readonly held = new Set<SessionId>();
  /** How many sessions each set of other members holds, by the addresses joined with spaces. */
  readonly holdings = new Map<string, number>();
  holdingsChanges = 0;
  /** Sessions have changed their holders, other than by being made, since this member was last done. */
  hasMoved = false;
  /** Entries with a handover. */
  readonly handovers = new Set<SessionId>();
  /** Members whose keeper can be reached, and what is under way to each. */
  readonly links = new Map<NodeId, { readonly incarnation: number; readonly lane: Lane }>();
  delivered: [SessionId, RequestId][] = [];
  /** Used since the copies were told of it. */
  readonly touched = new Set<SessionId>();
  touchesSentAtMs = 0;
  /** Ended sessions that are remembered, oldest first. */
  readonly tombstones = new Set<SessionId>();
  #future: Early[] = [];
  #earlyOffers = 0;
  /** Messages for this member's own app loop, taken up at the end of the step. */
  readonly loopback: Relayed[] = [];
  sweep: Iterator<SessionId> | null = null;
  /** Offered by their holders and not claimed yet (P6). */
  readonly offers = new Queue<SessionId>();
  /** Claims under way that began with an offer. */
  readonly quietClaims = new Set<SessionId>();
  readonly quietPace = new Bucket(quietPerSecond);
  /** The part of every pace that is gone at, above 0 and at most 1. */
  paceShare = 1;
  /** When the caller has been asked to come back for what waits for its pace; null: not asked. */
  wakeAtMs: number | null = null;
  oldest: Iterator<[SessionId, Entry]> | null = null;
  sequence = 0;
  nowMs = 0;
  effects: PrimaryEffect[] = [];

  constructor(options: PrimaryOptions) {
    this.self = options.self;
    this.address = formatAddress({ id: options.self, incarnation: options.incarnation });
    this.rank = options.rank;
    this.bounds = options.bounds ?? bounds;
    this.idleMs = options.idleMs;
    this.touchEveryMs = touchEveryMs(options);
    this.touchGraceMs = touchGraceMs(options);
    this.logKeptMs = logKeptMs(options);
    this.tombstoneKeptMs = tombstoneKeptMs(options);
  }

  get view(): View {
    const view = this.views.current;
    assert(view !== null, 'a primary has a view');
    return view;
  }

  /** Whether this incarnation is primary of the session in its own view (P1). */
  isPrimary(id: SessionId): boolean {
    const view = this.views.current;
    const me = view?.members[this.self];
    if (view === null || me === undefined || formatAddress(me) !== this.address) return false;
    return assign(this.rank, view, id).primary === this.self;
  }

  /** The write set without this member. */
  othersOf(view: View, id: SessionId): readonly NodeId[] {
    return assign(this.rank, view, id).writeSet.filter((member) => member !== this.self);
  }

  /** Dropped while there is no link: what matters is sent again when there is one (`linked`). */
  sendTo(to: NodeId, message: ToCopySide): void {
    if (to === this.self) this.effects.push({ kind: 'own', message });
    else if (this.links.has(to)) this.effects.push({ kind: 'send', to, message });
  }

  /**
   * Keeps a message of a newer view until that view has come (P3). Of offers only so many: they are made again. The rest
   * is said once and not more than there are sessions and requests; without one of a former primary's changes the next
   * would be taken for all of them.
   */
  hold(early: Early): void {
    if (early.message.kind === 'offer') {
      if (this.#earlyOffers >= this.bounds.earlyMessagesMax) return;
      this.#earlyOffers += 1;
    }
    this.#future.push(early);
  }

  /** What is held, taken out: what is still too early is held again. */
  takeHeld(): readonly Early[] {
    const held = this.#future;
    this.#future = [];
    this.#earlyOffers = 0;
    return held;
  }

  get earlyOffers(): number {
    return this.#earlyOffers;
  }

  linkedTo(member: NodeId, incarnation: number): void {
    this.links.set(member, { incarnation, lane: new Lane(this.bounds) });
  }

  /** Asks the caller to come back with a `sweep` after that time. */
  wakeAfter(ms: number): void {
    const atMs = this.nowMs + ms;
    if (this.wakeAtMs !== null && this.wakeAtMs <= atMs) return;
    this.wakeAtMs = atMs;
    this.effects.push({ kind: 'more', afterMs: Math.ceil(ms) });
  }

  relay(to: NodeId, message: BetweenApps): void {
    if (to === this.self) this.loopback.push({ from: to, message });
    else this.sendTo(to, { kind: 'relay', message });
  }
}

export interface PrimaryOptions extends Lifetimes {
  readonly self: NodeId;
  readonly incarnation: number;
  readonly rank: Rank;
  /** `bounds` when absent. */
  readonly bounds?: Bounds;
}
