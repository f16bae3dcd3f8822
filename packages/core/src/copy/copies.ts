import { assign } from '../assignment.ts';
import type { Bounds } from '../bounds.ts';
import type { NodeId, RequestId, SessionId } from '../ids.ts';
import { type Lifetimes, logKeptMs, tombstoneKeptMs } from '../lifetimes.ts';
import type { Commit, Mark, SessionRecord } from '../messages.ts';
import type { Rank } from '../rank.ts';
import {
  buryUnder,
  emptyRecord,
  forgetRequests,
  noMark,
  snapshotWithoutLog,
  touch,
  type WorkingRecord,
  workingRecord,
} from '../record.ts';
import type { SavedSession } from '../saved.ts';
import { compareViews, numberOf, type View, type ViewNumber } from '../view.ts';
import { isSameMember, ViewHistory } from '../view-history.ts';

/** Copies looked at per tick for the end of their life, and the margin after it in milliseconds. */
const endedPerTick = 200;
const endedMarginMs = 60_000;

export interface Copy {
  record: WorkingRecord;
  /** The view of the last accepted write: of two copies the one with the newer custody is right, then the higher version (P6). */
  custody: ViewNumber;
  /** The view it was last brought to; null: restored from a file, and there has been none. */
  seen: View | null;
  primary: NodeId | null;
  /** The present primary has shown that it holds this session; of a copy that is to go, that it did so since then. */
  confirmed: boolean;
  inWriteSet: boolean;
  /** It has accepted a message of this primary since both took their places: every acknowledged write is in it. */
  complete: boolean;
  /** It was complete when its primary died, and this member is primary now: nobody else can hold more that was acknowledged. */
  heir: boolean;
  /** Requests still running at this process's app loop, the former primary (P10). */
  running: Set<RequestId>;
}

/** The copies a member holds, and what each is in the views: kept true through every view in between (P5). */
export class Copies {
  readonly #self: NodeId;
  readonly #rank: Rank;
  readonly views = new ViewHistory();
  readonly #copies = new Map<SessionId, Copy>();
  /** Never dropped before their primary has confirmed them (P9). */
  readonly unconfirmed = new Set<SessionId>();
  /** Oldest first. */
  readonly #tombstones = new Set<SessionId>();
  #oldest: Iterator<[SessionId, Copy]> | null = null;
  /** Copies that the current view made this member primary of. */
  promoted = 0;

  readonly #logKeptMs: number;
  readonly #tombstoneKeptMs: number;

  readonly #bounds: Bounds;

  constructor(options: Lifetimes & { readonly self: NodeId; readonly rank: Rank; readonly bounds: Bounds }) {
    this.#bounds = options.bounds;
    this.#self = options.self;
    this.#rank = options.rank;
    this.#logKeptMs = logKeptMs(options);
    this.#tombstoneKeptMs = tombstoneKeptMs(options);
  }

  get(id: SessionId): Copy | undefined {
    return this.#copies.get(id);
  }

  ids(): Iterator<SessionId> {
    return this.#copies.keys();
  }

  /** Sessions held as copies, tombstones left out; counted now. */
  count(): { readonly sessions: number; readonly bytes: number } {
    let sessions = 0;
    let bytes = 0;
    for (const { record } of this.#copies.values()) {
      if (record.deleted || record.mark.version === 0) continue;
      sessions += 1;
      for (const value of record.attributes.values()) bytes += value.byteLength;
    }
    return { sessions, bytes };
  }

  get tombstones(): number {
    return this.#tombstones.size;
  }

  countOrphans(): number {
    let orphans = 0;
    for (const id of this.unconfirmed) {
      const copy = this.#copies.get(id);
      if (copy?.primary === this.#self && !copy.record.deleted && copy.record.mark.version > 0) orphans += 1;
    }
    return orphans;
  }

  /** Brings one copy to the current view, through every view in between (P5). */
  advance(id: SessionId): Copy | undefined {
    const copy = this.#copies.get(id);
    if (copy === undefined) return undefined;
    for (const view of this.views.after(copy.seen ?? noMark.view)) {
      if (copy.inWriteSet && copy.primary !== null && this.views.isUnconcerned(view, [this.#self, copy.primary])) {
        copy.seen = view;
        continue;
      }
      const { primary, writeSet } = assign(this.#rank, view, id);
      const survives = copy.primary !== null && copy.seen !== null && isSameMember(copy.seen, view, copy.primary);
      const stays = survives && primary === copy.primary;
      const inWriteSet = writeSet.includes(this.#self);
      const isReleased = copy.inWriteSet && !inWriteSet;
      copy.seen = view;
      copy.primary = primary;
      if (inWriteSet && !copy.inWriteSet) copy.complete = false;
      copy.inWriteSet = inWriteSet;
      // Published is not entered: a primary that dies before it enters this view leaves here what nobody else may have.
      if ((!stays || isReleased) && copy.record.mark.version > 0) {
        copy.confirmed = false;
        this.unconfirmed.add(id);
      }
      if (!stays) {
        copy.heir = primary === this.#self && (copy.heir || (copy.complete && !survives));
        copy.complete = false;
        if (
          copy.record.mark.version > 0 &&
          primary === this.#self &&
          view === this.views.current &&
          !copy.record.deleted
        ) {
          this.promoted += 1;
        }
      }
      this.#letGo(id, copy);
      if (!this.#copies.has(id)) return undefined;
    }
    return copy;
  }

  /** A copy made by its primary's own message is confirmed by that. */
  put(id: SessionId, record: WorkingRecord, view: View): Copy {
    const known = this.#copies.get(id);
    if (known !== undefined) {
      known.record = record;
      return known;
    }
    const { primary, writeSet } = assign(this.#rank, view, id);
    const inWriteSet = writeSet.includes(this.#self);
    const copy = {
      record,
      custody: view,
      seen: view,
      primary,
      confirmed: true,
      inWriteSet,
      complete: false,
      heir: false,
      running: new Set<RequestId>(),
    };
    this.#copies.set(id, copy);
    return copy;
  }

  /** A whole record from its primary; one that a later write has overtaken changes nothing. */
  putWhole(record: SessionRecord, view: View): Copy {
    const { id, mark } = record;
    const known = this.advance(id);
    const isOfView = known !== undefined && compareViews(known.custody, view) === 0;
    const usedAt = known?.record.touchedAt ?? 0;
    // The same version once more replaces what is here: a tombstone may have been made without what came before it.
    const isOvertaken = isOfView && mark.version < known.record.mark.version;
    const copy = isOvertaken ? known : this.put(id, workingRecord(record), view);
    touch(copy.record, usedAt);
    return copy;
  }

  /**
   * The session that `commit` has replaced is dead at once, whatever is here of it. But its request log may only be in the
   * record that is on its way (P2): without it the tombstone is nobody's version, so that no digest finds the whole one here.
   */
  bury(
    id: SessionId,
    buried: Mark,
    commit: Commit,
    keptFrom: number,
    view: View,
  ): { readonly old: Copy; readonly isWhole: boolean } {
    const old = this.advance(id) ?? this.put(id, emptyRecord(id), view);
    const { version, by } = old.record.mark;
    const isWhole = version === buried.version - 1 && by !== noMark.by;
    const mark = isWhole ? buried : { ...buried, by: noMark.by };
    buryUnder(old.record, mark, commit, keptFrom, this.#bounds);
    return { old, isWhole };
  }

  /** Unconfirmed, of an old custody: the ordinary rules bring it to its primary in the first view. */
  restore({ custody, record }: SavedSession): void {
    const { id, deleted } = record;
    this.#copies.set(id, {
      record: workingRecord(record),
      custody,
      seen: null,
      primary: null,
      confirmed: false,
      inWriteSet: false,
      complete: false,
      heir: false,
      running: new Set(),
    });
    this.unconfirmed.add(id);
    if (deleted) this.buried(id);
  }

  /** Everything held, tombstones included, without request logs: each is made when it is asked for. */
  *allToSave(): IterableIterator<SavedSession & { readonly primary: NodeId | null }> {
    for (const { record, custody, primary } of this.#copies.values()) {
      if (record.mark.version > 0) yield { custody: numberOf(custody), record: snapshotWithoutLog(record), primary };
    }
  }

  /** The primary has the session, and so has its whole write set. */
  confirm(id: SessionId, copy: Copy): void {
    copy.confirmed = true;
    this.unconfirmed.delete(id);
    this.#letGo(id, copy);
  }

  /**
   * Outside the write set and confirmed, a record is of no use, and grows old: given in answer to a claim, after more
   * deaths than there are copies, it would bring back a state that users were shown to be past (P6). What still runs
   * here stays known (P10).
   */
  #letGo(id: SessionId, copy: Copy): void {
    if (copy.inWriteSet || !copy.confirmed) return;
    if (copy.running.size === 0) {
      this.drop(id);
      return;
    }
    copy.record = emptyRecord(id);
    copy.custody = noMark.view;
    this.#tombstones.delete(id);
  }

  /** A request that began at the former primary, this process, no longer runs. */
  finished(id: SessionId, request: RequestId): void {
    const copy = this.#copies.get(id);
    if (copy === undefined) return;
    copy.running.delete(request);
    this.#dropIdle(id, copy);
  }

  /** These, and no others, run at the former primary, this process. */
  runs(id: SessionId, copy: Copy, requests: readonly RequestId[]): void {
    copy.running = new Set(requests);
    this.#dropIdle(id, copy);
  }

  /** Kept for its running requests alone, and none is left: of a session that never was, nobody would confirm it. */
  #dropIdle(id: SessionId, copy: Copy): void {
    if (copy.running.size > 0) return;
    if (copy.record.mark.version === 0) this.drop(id);
  }

  /** It has become a tombstone. */
  buried(id: SessionId): void {
    this.#tombstones.add(id);
  }

  drop(id: SessionId): void {
    this.#copies.delete(id);
    this.#tombstones.delete(id);
    this.unconfirmed.delete(id);
  }

  /** Only the primary expires (P14), but past the end of a session or its tombstone, with a margin, nobody can need a copy. */
  forgetEnded(nowMs: number): void {
    this.#oldest ??= this.#copies.entries();
    for (let left = endedPerTick; left > 0; left -= 1) {
      const next = this.#oldest.next();
      if (next.done === true) {
        this.#oldest = null;
        break;
      }
      const [id, { record }] = next.value;
      forgetRequests(record, nowMs - this.#logKeptMs - endedMarginMs, this.#bounds);
      const isBuried = record.deleted && nowMs - record.touchedAt > this.#tombstoneKeptMs + endedMarginMs;
      if (isBuried || (record.expiresAt !== 0 && nowMs > record.expiresAt + endedMarginMs)) this.drop(id);
    }
    this.#forgetTombstones();
  }

  /** The bound on tombstones, kept while every copy is confirmed: no copy that missed a burial can be left then (P13). */
  #forgetTombstones(): void {
    if (this.unconfirmed.size > 0) return;
    let left = endedPerTick;
    for (const id of this.#tombstones) {
      if (this.#tombstones.size <= this.#bounds.tombstonesMax || left === 0) return;
      left -= 1;
      this.drop(id);
    }
  }
}
