import { assign } from './assignment.ts';
import { type Bounds, bounds, type Kept } from './bounds.ts';
import { Copies, type Copy } from './copy/copies.ts';
import type { CopyEffect, CopyEvent } from './copy/events.ts';
import { addOffer, offerBatch } from './copy/offers.ts';
import type { NodeId, SessionId } from './ids.ts';
import type { Lifetimes } from './lifetimes.ts';
import type { FromCopySide, ToCopySide, ToOwnKeeper } from './messages.ts';
import type { Rank } from './rank.ts';
import {
  applyCommit,
  dropAnswer,
  emptyRecord,
  sameMark,
  snapshot,
  touch,
  type WorkingRecord,
  workingRecord,
} from './record.ts';
import type { SavedSession } from './saved.ts';
import { unreachable } from './unreachable.ts';
import { compareViews, numberOf, type View, type ViewNumber } from './view.ts';
import { mayLosePrimaries } from './view-history.ts';

export type { CopyEffect, CopyEvent } from './copy/events.ts';

/** Unconfirmed copies are offered again this often, in milliseconds (P6). */
export const offerAgainMs = 5_000;

type FromPrimary = ToCopySide & { readonly kind: 'write' | 'record' | 'digest' | 'confirmed' };

/**
 * The copy side of a member (P3, answers of P6, confirmations of P9): what the keeper thread runs.
 *
 * Invariants: a copy is never ahead of its primary within one custody; nothing of an older view is accepted; a copy that
 * its primary has not confirmed is never dropped.
 */
export class CopyMachine {
  readonly #self: NodeId;
  readonly #rank: Rank;
  readonly #copies: Copies;
  #future: { readonly from: NodeId | null; readonly message: ToCopySide | ToOwnKeeper; readonly view: ViewNumber }[] =
    [];
  /** Those of other members in it: the own app loop's are not more than its sessions. Counted as they come, since thousands may. */
  #early = 0;
  /** Claims that wait for the own app loop to hand its record down. */
  readonly #waiting = new Map<SessionId, { readonly from: NodeId; readonly view: ViewNumber }[]>();
  /** The newest view in which this member may have lost primaries; the app loop must have swept to it. */
  #barrier: ViewNumber | null = null;
  #appSwept: ViewNumber | null = null;
  #sweep: Iterator<SessionId> | null = null;
  #sweptView: ViewNumber | null = null;
  #nowMs = 0;
  #offeredAtMs = 0;
  #effects: CopyEffect[] = [];

  readonly #bounds: Bounds;

  /** `bounds`: those of every member when absent. */
  constructor(options: Lifetimes & { readonly self: NodeId; readonly rank: Rank; readonly bounds?: Bounds }) {
    this.#self = options.self;
    this.#rank = options.rank;
    this.#bounds = options.bounds ?? bounds;
    this.#copies = new Copies({ ...options, bounds: this.#bounds });
  }

  /** Sessions held as copies, tombstones left out; counted now. */
  count(): { readonly sessions: number; readonly bytes: number } {
    return this.#copies.count();
  }

  /** Everything held, for a file: see `Copies`. */
  allToSave(): IterableIterator<SavedSession & { readonly primary: NodeId | null }> {
    return this.#copies.allToSave();
  }

  /** Not every copy has been brought to the current view yet. */
  get sweeping(): boolean {
    return this.#sweep !== null;
  }

  /** Sessions whose primary has not confirmed that it holds them. */
  get unconfirmed(): number {
    return this.#copies.unconfirmed.size;
  }

  /** Sessions whose primary died and that wait here for the app's loop: of each there is a copy less than asked for. */
  get unprotected(): number {
    let sessions = 0;
    for (const id of this.#copies.unconfirmed) if (this.#copies.get(id)?.heir === true) sessions += 1;
    return sessions;
  }

  /** Copies of sessions this member is primary of, not taken over by its app's loop yet. */
  get orphans(): number {
    return this.#copies.countOrphans();
  }

  /** The newest view that every copy has been brought to. */
  get sweptView(): ViewNumber | null {
    return this.#sweptView;
  }

  /** Copies that the current view made this member primary of. */
  get promoted(): number {
    return this.#copies.promoted;
  }

  /** How near it is to its bounds. For whoever watches. */
  get kept(): Kept {
    return { earlyMessagesMax: this.#early, tombstonesMax: this.#copies.tombstones };
  }

  get view(): View | null {
    return this.#copies.views.current;
  }

  /** The copy held of the session, its tombstone too; null when there is none. For whoever watches: nothing is brought up to date. */
  held(id: SessionId): WorkingRecord | null {
    return this.#copies.get(id)?.record ?? null;
  }

  step(event: CopyEvent, nowMs: number): readonly CopyEffect[] {
    this.#nowMs = nowMs;
    this.#effects = [];
    const { unconfirmed } = this.#copies;
    const hadUnconfirmed = unconfirmed.size > 0;
    this.#take(event);
    if (hadUnconfirmed && unconfirmed.size === 0) this.#report();
    return this.#effects;
  }

  #take(event: CopyEvent): void {
    switch (event.kind) {
      case 'view':
        this.#enter(event.view);
        break;
      case 'message':
        this.#receive(event.from, event.message);
        break;
      case 'own':
        this.#receive(null, event.message);
        break;
      case 'restore':
        // Later than that the primaries have served: what a file says is old.
        if (this.#copies.views.current === null) this.#copies.restore(event.session);
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
  }

  #enter(view: View): void {
    const former = this.#copies.views.current;
    if (!this.#copies.views.append(view)) return;
    if (mayLosePrimaries(this.#self, former, view)) this.#barrier = view;
    this.#copies.promoted = 0;
    this.#sweep = this.#copies.ids();
    this.#waiting.clear(); // Claims of a former view: whoever asked asks again.
    this.#effects.push({ kind: 'more' });
    const held = this.#future;
    this.#future = [];
    this.#early = 0;
    for (const { from, message } of held) this.#receive(from, message);
  }

  #receive(from: NodeId | null, message: ToCopySide | ToOwnKeeper): void {
    switch (message.kind) {
      case 'taken':
        this.#copies.drop(message.id);
        return;
      case 'finished':
        this.#copies.finished(message.id, message.request);
        return;
      case 'delivered':
        for (const [id, request] of message.requests) {
          const copy = this.#copies.get(id);
          if (copy !== undefined) dropAnswer(copy.record, request);
        }
        return;
      case 'relay':
        // The keeper passes these on without reading them; the app loop judges them.
        if (from !== null)
          this.#effects.push({ kind: 'own', message: { kind: 'relayed', from, message: message.message } });
        return;
    }
    const view = this.#copies.views.current;
    const order = view === null ? 1 : compareViews(message.view, view);
    if (order > 0) {
      this.#hold(from, message);
      return;
    }
    if (message.kind === 'demoted') {
      this.#takeBack(message);
      return;
    }
    if (message.kind === 'swept') {
      this.#appSwept = message.view;
      this.#report();
      return;
    }
    if (message.kind === 'touched') {
      // Also of an older view: that a session was used stays true.
      this.#touched(from ?? this.#self, message.sessions);
      return;
    }
    // Older than what is known here: refused without an answer; the sender will enter the view and start over (P3).
    if (order < 0 || view === null) return;
    if (message.kind === 'claim') this.#claim(from ?? this.#self, message.id, view);
    else this.#accept(from ?? this.#self, view, message);
  }

  #hold(from: NodeId | null, message: (ToCopySide | ToOwnKeeper) & { readonly view: ViewNumber }): void {
    // Too many from others: the link is cut, so that its far end starts over. The own app loop says each thing once only.
    if (from !== null && this.#early >= this.#bounds.earlyMessagesMax) {
      const rest = this.#future.filter((held) => held.from !== from);
      this.#early -= this.#future.length - rest.length;
      this.#future = rest;
      this.#effects.push({ kind: 'cut', member: from });
      return;
    }
    if (from !== null) this.#early += 1;
    this.#future.push({ from, message, view: message.view });
  }

  /** P3: a message of the current view from `from`. */
  #accept(from: NodeId, view: View, message: FromPrimary): void {
    const id = message.kind === 'record' ? message.record.id : message.id;
    const { primary, writeSet } = assign(this.#rank, view, id);
    if (primary !== from) return;
    const copy = this.#copies.advance(id);
    if (message.kind === 'confirmed') {
      if (copy !== undefined) this.#copies.confirm(id, copy);
      return;
    }
    if (!writeSet.includes(this.#self)) return;
    if (message.kind === 'digest') {
      if (copy === undefined || !sameMark(copy.record.mark, message.mark)) {
        this.#answer(from, { kind: 'need', id, view: numberOf(view) });
        return;
      }
      touch(copy.record, message.touchedAt);
      this.#keep(from, id, copy, view);
      return;
    }
    if (message.kind === 'record') {
      for (const record of [...message.buried, message.record])
        this.#keep(from, record.id, this.#copies.putWhole(record, view), view);
      return;
    }
    const mine = copy?.record.mark;
    if (copy !== undefined && mine !== undefined && sameMark(mine, message.mark)) {
      this.#keep(from, id, copy, view);
      return;
    }
    const fits = mine === undefined ? message.previous.version === 0 : sameMark(mine, message.previous);
    if (!fits) {
      this.#answer(from, { kind: 'need', id, view: numberOf(view) });
      return;
    }
    const current = copy ?? this.#copies.put(id, emptyRecord(id), view);
    applyCommit(current.record, message.mark, message.commit, message.keptFrom, this.#bounds);
    const { bury } = message.commit;
    if (bury !== null && message.buried !== null) {
      const { old, isWhole } = this.#copies.bury(bury, message.buried, message.commit, message.keptFrom, view);
      if (isWhole) this.#keep(from, bury, old, view);
      else this.#answer(from, { kind: 'need', id: bury, view: numberOf(view) });
    }
    this.#keep(from, id, current, view);
  }

  /** P14: gates nothing, so it is not answered; only its primary's word counts. */
  #touched(from: NodeId, sessions: readonly (readonly [SessionId, number])[]): void {
    for (const [id, at] of sessions) {
      const copy = this.#copies.advance(id);
      if (copy !== undefined && copy.primary === from && !copy.record.deleted) touch(copy.record, at);
    }
  }

  /** Accepted: custody is of this view, and the primary is told so. */
  #keep(from: NodeId, id: SessionId, copy: Copy, view: View): void {
    copy.custody = view;
    copy.complete = true;
    if (copy.record.deleted) this.#copies.buried(id);
    this.#answer(from, { kind: 'ack', id, view: numberOf(view), version: copy.record.mark.version });
  }

  /** P6: what is held here of a session, once the own app loop cannot hold more of it. */
  #claim(from: NodeId, id: SessionId, view: View): void {
    const swept =
      this.#appSwept !== null && (this.#barrier === null || compareViews(this.#appSwept, this.#barrier) >= 0);
    if (from === this.#self || swept || this.#barrier === null) {
      this.#answerClaim(from, id, view);
      return;
    }
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      waiting.push({ from, view });
      return;
    }
    this.#waiting.set(id, [{ from, view }]);
    this.#effects.push({ kind: 'own', message: { kind: 'demote', id, view: numberOf(view) } });
  }

  #answerClaim(from: NodeId, id: SessionId, view: View): void {
    const copy = this.#copies.advance(id);
    const record = copy === undefined || copy.record.mark.version === 0 ? null : snapshot(copy.record);
    const custody = copy === undefined || record === null ? null : numberOf(copy.custody);
    const running = [...(copy?.running ?? [])];
    const heir = from === this.#self && copy?.heir === true;
    this.#answer(from, { kind: 'claimed', id, view: numberOf(view), custody, record, running, heir });
  }

  /** The own app loop is no longer primary of this session: it becomes a copy, whole or as a list of running requests. */
  #takeBack(message: ToOwnKeeper & { readonly kind: 'demoted' }): void {
    const { id, record, running } = message;
    const view = this.#copies.views.current;
    if (view === null) return;
    let copy = this.#copies.advance(id);
    if (copy === undefined && (record !== null || running.length > 0)) {
      copy = this.#copies.put(id, emptyRecord(id), view);
      copy.custody = { term: 0, number: 0 };
    }
    // Its custody is that of its last commit: what it committed as primary of that view was its own to commit.
    if (copy !== undefined && record !== null && compareViews(record.mark.view, copy.custody) >= 0) {
      copy.record = workingRecord(record);
      copy.custody = record.mark.view;
      copy.confirmed = false;
      copy.complete = false;
      copy.heir = false;
      this.#copies.unconfirmed.add(id);
      if (record.deleted) this.#copies.buried(id);
      this.#offer(copy.primary, [id]);
    }
    if (copy !== undefined) this.#copies.runs(id, copy, running);
    const waiting = this.#waiting.get(id) ?? [];
    this.#waiting.delete(id);
    for (const claim of waiting) if (compareViews(claim.view, view) === 0) this.#answerClaim(claim.from, id, view);
  }

  #sweepSome(budget: number): void {
    if (this.#sweep === null) return;
    const offers = new Map<NodeId, SessionId[]>();
    for (let left = budget; left > 0; left -= 1) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = null;
        this.#copies.views.forgetFormer();
        this.#sweptView = this.#copies.views.current;
        break;
      }
      const copy = this.#copies.advance(next.value);
      if (copy !== undefined && !copy.confirmed) addOffer(offers, copy.primary, next.value);
    }
    for (const [primary, ids] of offers) this.#offer(primary, ids);
    if (this.#sweep !== null) this.#effects.push({ kind: 'more' });
    else this.#report();
  }

  #offer(primary: NodeId | null, ids: readonly SessionId[]): void {
    const view = this.#copies.views.current;
    if (primary === null || view === null) return;
    for (let start = 0; start < ids.length; start += offerBatch) {
      this.#answer(primary, { kind: 'offer', ids: ids.slice(start, start + offerBatch), view: numberOf(view) });
    }
  }

  #tick(): void {
    this.#report();
    this.#copies.forgetEnded(this.#nowMs);
    if (this.#sweep !== null || this.#nowMs - this.#offeredAtMs < offerAgainMs) return;
    this.#offeredAtMs = this.#nowMs;
    const offers = new Map<NodeId, SessionId[]>();
    for (const id of this.#copies.unconfirmed) addOffer(offers, this.#copies.get(id)?.primary ?? null, id);
    for (const [primary, ids] of offers) this.#offer(primary, ids);
  }

  /** Done with a view: every copy brought to it and confirmed, the own app loop's former records taken over (P9). */
  #report(): void {
    const view = this.#copies.views.current;
    if (view === null || this.#sweep !== null || this.#copies.unconfirmed.size > 0) return;
    if (this.#barrier !== null && (this.#appSwept === null || compareViews(this.#appSwept, this.#barrier) < 0)) return;
    this.#effects.push({ kind: 'done', view: numberOf(view) });
  }

  #answer(to: NodeId, message: FromCopySide): void {
    this.#effects.push(to === this.#self ? { kind: 'own', message } : { kind: 'send', to, message });
  }
}
