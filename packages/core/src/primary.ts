import type { Kept } from './bounds.ts';
import type { NodeId, RequestId, SessionId } from './ids.ts';
import type { Commit, FromCopySide, FromOwnKeeper, Holding, LogEntry } from './messages.ts';
import { advance } from './primary/advance.ts';
import { claimed, claimOffered, create, offered, open } from './primary/claim.ts';
import { commitHere } from './primary/commit.ts';
import { countUnprotected, listHoldings, report } from './primary/custody.ts';
import type { PrimaryEffect, PrimaryEvent, Token } from './primary/events.ts';
import { close, forward, handDown } from './primary/former.ts';
import { acknowledge, deliver, flushDelivered, settle, wait } from './primary/gate.ts';
import { expire } from './primary/life.ts';
import { nextShare } from './primary/pace.ts';
import { receiveRelayed } from './primary/relayed.ts';
import { type PrimaryOptions, PrimaryState } from './primary/state.ts';
import { sendMissed } from './primary/supply.ts';
import { sendTouches, use } from './primary/touch.ts';
import { endLateHandovers, enter, linked, sendPaced, sweepSome } from './primary/views.ts';
import { snapshotWithoutLog, type WorkingRecord } from './record.ts';
import type { SavedSession } from './saved.ts';
import { unreachable } from './unreachable.ts';
import { compareViews, numberOf, type View } from './view.ts';

export type { PrimaryEffect, PrimaryEvent, Settled, Token } from './primary/events.ts';

/**
 * The primary side of a member: what its app loop runs. Commits (P2), releases (P4), view changes (P5), claims (P6),
 * its half of joins (P9) and handovers (P10). No sockets, clock or dice: the caller performs the effects.
 *
 * Invariants: `safe` is said only of a version that every other member of the write set has acknowledged in this
 * view, or that the present primary has confirmed; a session is committed by one incarnation per view.
 */
export class PrimaryMachine {
  readonly #state: PrimaryState;

  constructor(options: PrimaryOptions) {
    this.#state = new PrimaryState(options);
  }

  get view(): View | null {
    return this.#state.views.current;
  }

  /** Sessions with fewer copies than asked for. */
  get unprotected(): number {
    const { current } = this.#state.views;
    return current === null ? 0 : countUnprotected(this.#state, current);
  }

  /** Sessions that some member of their write set has not got yet; all of them before they were looked at in this view. */
  get uncopied(): number {
    const { sweep, entries, unsynced } = this.#state;
    return sweep === null ? unsynced.size : entries.size;
  }

  /** Who else holds the sessions of this member; tombstones are left out. */
  get holdings(): readonly Holding[] {
    return listHoldings(this.#state);
  }

  /** Goes up whenever `holdings` may have changed. */
  get holdingsChanges(): number {
    return this.#state.holdingsChanges;
  }

  /** Not every session has been brought to the current view yet. */
  get sweeping(): boolean {
    return this.#state.sweep !== null;
  }

  /** The sessions this member is primary of, tombstones left out: counted now. */
  *records(): IterableIterator<WorkingRecord> {
    for (const { record } of this.#state.entries.values()) {
      if (!record.deleted && record.mark.version > 0) yield record;
    }
  }

  /** Everything held, tombstones included, without request logs: each is made when it is asked for. */
  *allToSave(): IterableIterator<SavedSession> {
    for (const { record, seen } of this.#state.entries.values()) {
      if (record.mark.version > 0) yield { custody: numberOf(seen), record: snapshotWithoutLog(record) };
    }
  }

  /** The session as it is held here, its tombstone too; null when it is not. For whoever watches: nothing is brought up to date. */
  held(id: SessionId): WorkingRecord | null {
    return this.#state.entries.get(id)?.record ?? null;
  }

  /** How near it is to its bounds. For whoever watches. */
  get kept(): Kept {
    const { earlyOffers, unknown, offers, quietClaims, tombstones } = this.#state;
    return {
      earlyMessagesMax: earlyOffers,
      unknownIdsMax: unknown.size,
      offersMax: offers.size,
      quietClaimsMax: quietClaims.size,
      tombstonesMax: tombstones.size,
    };
  }

  /** Whether this member is primary of the session in its own view (P1). */
  isPrimary(id: SessionId): boolean {
    return this.#state.isPrimary(id);
  }

  /** The members whose answer a request of this session waits for: to a claim, or to a write or read (P4). */
  silent(id: SessionId): readonly NodeId[] {
    const { openings, entries, formers } = this.#state;
    const opening = openings.get(id);
    if (opening !== undefined) {
      if (!opening.answers.has(this.#state.self)) return [this.#state.self]; // The others are asked after it.
      return [...opening.expected].filter((member) => !opening.answers.has(member));
    }
    const entry = entries.get(id);
    if (entry?.handover != null) return [...new Set(entry.handover.running.values())];
    if (entry !== undefined) {
      return entry.others.filter((member) => (entry.acked.get(member) ?? 0) < entry.record.mark.version);
    }
    const target = formers.get(id)?.target ?? null;
    return target === null ? [] : [target];
  }

  /** What the session's log remembers of the request, for a session held here. */
  logged(id: SessionId, request: RequestId): LogEntry | null {
    return this.#state.entries.get(id)?.record.log.get(request) ?? null;
  }

  /** Event and time in (milliseconds, never going back), effects out. Never throws for what a network can cause. */
  step(event: PrimaryEvent, nowMs: number): readonly PrimaryEffect[] {
    const state = this.#state;
    state.nowMs = nowMs;
    state.effects = [];
    this.#take(state, event);
    for (let relayed = state.loopback.shift(); relayed !== undefined; relayed = state.loopback.shift()) {
      receiveRelayed(state, relayed);
    }
    return state.effects;
  }

  #take(state: PrimaryState, event: PrimaryEvent): void {
    switch (event.kind) {
      case 'view':
        if (enter(state, event.view)) this.#takeUpHeld(state);
        return;
      case 'link':
        linked(state, event.member, event.incarnation, event.up);
        return;
      case 'message':
        this.#receive(state, event.from, event.message);
        return;
      case 'own':
        this.#receiveOwn(state, event.message);
        return;
      case 'open':
        run(state, event.id, event.request);
        open(state, event.id, event.token);
        return;
      case 'create':
        run(state, event.id, event.request);
        create(state, event.id, event.token);
        return;
      case 'commit':
        commit(state, event.id, event.commit, event.token);
        return;
      case 'safe':
        gate(state, event.id, event.request, event.token);
        return;
      case 'delivered':
        deliver(state, event.id, event.request);
        return;
      case 'touch': {
        const entry = state.entries.get(event.id);
        if (entry !== undefined) use(state, entry);
        return;
      }
      case 'close':
        close(state, event.id, event.request);
        return;
      case 'sweep':
        sweepSome(state, event.budget);
        return;
      case 'tick':
        state.paceShare = nextShare(state.paceShare, event.lateMs ?? 0);
        flushDelivered(state);
        sendTouches(state);
        sendPaced(state);
        endLateHandovers(state);
        expire(state);
        report(state);
        return;
      default:
        unreachable(event);
    }
  }

  /** Messages that came before this view. */
  #takeUpHeld(state: PrimaryState): void {
    for (const { from, message } of state.takeHeld()) {
      if (from === null) this.#receiveOwn(state, message);
      else this.#receive(state, from, message);
    }
  }

  #receive(state: PrimaryState, from: NodeId, message: FromCopySide): void {
    const view = state.views.current;
    const order = view === null ? 1 : compareViews(message.view, view);
    if (order > 0) state.hold({ from, message });
    // An answer within an older view says nothing about this one: what it answered was sent again on entering (P5).
    if (order !== 0) return;
    switch (message.kind) {
      case 'ack':
        acknowledge(state, message.id, advance(state, message.id), from, message.version);
        return;
      case 'need': {
        const entry = advance(state, message.id);
        if (entry !== undefined) sendMissed(state, entry, from);
        return;
      }
      case 'claimed':
        claimed(state, from, message);
        claimOffered(state);
        return;
      case 'offer':
        for (const id of message.ids) offered(state, from, id);
        claimOffered(state);
        return;
      default:
        unreachable(message);
    }
  }

  #receiveOwn(state: PrimaryState, message: FromCopySide | FromOwnKeeper): void {
    if (message.kind === 'relayed') {
      receiveRelayed(state, message);
      return;
    }
    if (message.kind !== 'demote') {
      this.#receive(state, state.self, message);
      return;
    }
    const view = state.views.current;
    if (view === null || compareViews(message.view, view) > 0) {
      state.hold({ from: null, message });
      return;
    }
    advance(state, message.id); // Hands the record down, if there is one.
    handDown(state, message.id, null, state.formers.get(message.id));
  }
}

function run(state: PrimaryState, id: SessionId, request: RequestId): void {
  const running = state.running.get(id);
  if (running === undefined) state.running.set(id, new Set([request]));
  else running.add(request);
}

/** A request that began before a handover commits by way of a forward, even when this member is primary again. */
const isFormer = (state: PrimaryState, id: SessionId, request: RequestId): boolean =>
  state.formers.get(id)?.running.has(request) === true;

function commit(state: PrimaryState, id: SessionId, change: Commit, token: Token): void {
  const entry = advance(state, id);
  if (entry === undefined || isFormer(state, id, change.request)) {
    forward(state, id, change.request, change, token);
    return;
  }
  const { bury } = change;
  const old = bury === null ? undefined : advance(state, bury);
  if (bury !== null && (old === undefined || isFormer(state, bury, change.request))) {
    // The old id went to another primary and came back: what it has become meanwhile is not in what is to go on.
    settle(state, { token }, { kind: 'refused' });
    return;
  }
  commitHere(state, entry, change, old, { token });
}

function gate(state: PrimaryState, id: SessionId, request: RequestId, token: Token): void {
  const entry = advance(state, id);
  if (entry === undefined || isFormer(state, id, request)) forward(state, id, request, null, token);
  else wait(state, entry, entry.record.mark.version, { token });
}
