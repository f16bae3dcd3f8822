import { assign } from '../assignment.ts';
import type { RequestId, SessionId } from '../ids.ts';
import type { BetweenApps, Commit } from '../messages.ts';
import { applyCommit, noMark, snapshot, type WorkingRecord } from '../record.ts';
import { compareViews, numberOf, type View } from '../view.ts';
import { isSameMember } from '../view-history.ts';
import { noRequest } from './commit.ts';
import { drop } from './custody.ts';
import type { Token } from './events.ts';
import type { Entry, Former, Pending, PrimaryState, Work } from './state.ts';

/** P10, the former primary's half: what it held goes to its keeper, what still runs here forwards its changes. */

/** No longer primary: the record becomes a copy at the own keeper, at once, and whatever waits here asks the new primary. */
export function demote(state: PrimaryState, entry: Entry): void {
  const { record, blocked, waiters } = entry;
  const { id } = record;
  drop(state, id);
  const former = state.formers.get(id) ?? formerOf(state, id);
  const work: Work = { record, base: record.mark, isCut: false };
  for (const request of state.running.get(id) ?? []) {
    if (!former.running.has(request)) former.running.set(request, work);
  }
  handDown(state, id, record.mark.version === 0 ? null : record, former);
  for (const token of blocked) state.effects.push({ kind: 'moved', token });
  // A response held here leaves when the new primary confirms it. One held elsewhere on our word asks again by itself.
  for (const { done } of waiters)
    if ('token' in done) addPending(state, former, id, { token: done.token, request: noRequest, commit: null, work });
  if (former.running.size > 0 || former.pending.size > 0) state.formers.set(id, former);
}

const formerOf = (state: PrimaryState, id: SessionId): Former => ({
  target: assign(state.rank, state.view, id).primary,
  since: numberOf(state.view),
  running: new Map(),
  pending: new Map(),
});

/**
 * Tells the own keeper what the app loop knows of a session: the record if it held one, and the requests that began here
 * with it. Not those that wait to be given it: they will not commit here, and nobody would be told of their end.
 */
export function handDown(
  state: PrimaryState,
  id: SessionId,
  held: WorkingRecord | null,
  former: Former | undefined,
): void {
  const running = [...(former?.running.keys() ?? [])];
  const record = held === null ? null : snapshot(held);
  state.effects.push({ kind: 'own', message: { kind: 'demoted', id, view: numberOf(state.view), record, running } });
}

/** A commit, or a held response (`commit` null), of a request that began here: only the new primary can settle it. */
export function forward(
  state: PrimaryState,
  id: SessionId,
  request: RequestId,
  commit: Commit | null,
  token: Token,
): void {
  const former = state.formers.get(id);
  const work = former?.running.get(request) ?? null;
  // Nor can a change of a request that is not among those that the new primary was told of.
  if (former === undefined || work?.isCut === true || (commit !== null && work === null)) {
    state.effects.push({ kind: 'settled', token, settled: { kind: 'refused' } });
    return;
  }
  // The next difference of a request of this session starts from what this one changed.
  if (commit !== null && work !== null) {
    applyCommit(work.record, work.record.mark, commit, commit.at - state.logKeptMs, state.bounds);
  }
  addPending(state, former, id, { token, request, commit, work });
}

function addPending(state: PrimaryState, former: Former, id: SessionId, pending: Pending): void {
  state.sequence += 1;
  former.pending.set(state.sequence, pending);
  state.forwards.set(state.sequence, id);
  sendPending(state, former, id, state.sequence);
}

function sendPending(state: PrimaryState, former: Former, id: SessionId, sequence: number): void {
  const pending = former.pending.get(sequence);
  if (pending === undefined || former.target === null) return;
  const { commit, request, work } = pending;
  const view = numberOf(state.view);
  if (commit === null) {
    state.relay(former.target, { kind: 'confirm', id, view, request, sequence });
    return;
  }
  const base = work?.base ?? noMark;
  const buried = commit.bury === null ? undefined : state.formers.get(commit.bury)?.running.get(request);
  state.relay(former.target, { kind: 'forward', id, view, commit, sequence, base, buriedBase: buried?.base ?? null });
}

/** Sends again what the present target may not have: it changed, or its link is new. */
export function resendPending(state: PrimaryState, former: Former, id: SessionId): void {
  for (const sequence of former.pending.keys()) sendPending(state, former, id, sequence);
}

/** A new view: whoever is primary now gets what the one before has not settled. */
export function retarget(state: PrimaryState, before: View | null, view: View): void {
  for (const [id, former] of state.formers) {
    const { primary } = assign(state.rank, view, id);
    const same =
      before !== null && primary === former.target && primary !== null && isSameMember(before, view, primary);
    if (same) continue;
    former.target = primary;
    former.since = numberOf(view);
    resendPending(state, former, id);
  }
}

/**
 * The new primary's word on a forward or a held response. It may be on its way while that one dies or loses its place:
 * what it says of its own write set is then true of no present one (P4), and the one that took its place has been asked.
 */
export function forwarded(
  state: PrimaryState,
  { view, sequence, verdict, mark }: BetweenApps & { kind: 'forwarded' },
): void {
  const id = state.forwards.get(sequence);
  const former = id === undefined ? undefined : state.formers.get(id);
  const pending = former?.pending.get(sequence);
  if (id === undefined || former === undefined || pending === undefined) return;
  if (compareViews(view, former.since) < 0) return;
  former.pending.delete(sequence);
  state.forwards.delete(sequence);
  state.effects.push({ kind: 'settled', token: pending.token, settled: { kind: verdict } });
  if (pending.work !== null) {
    if (verdict === 'refused') cut(state, former, pending.work);
    else if (mark !== null) pending.work.base = mark;
  }
  forget(state, id, former);
}

/** One change was refused: whatever was made on top of it, or showed it, is refused too, wherever it is on its way to. */
function cut(state: PrimaryState, former: Former, work: Work): void {
  work.isCut = true;
  for (const [sequence, { token, work: of }] of former.pending) {
    if (of !== work) continue;
    former.pending.delete(sequence);
    state.forwards.delete(sequence);
    state.effects.push({ kind: 'settled', token, settled: { kind: 'refused' } });
  }
}

/** A request no longer runs here. */
export function close(state: PrimaryState, id: SessionId, request: RequestId): void {
  const running = state.running.get(id);
  if (running?.delete(request) !== true) return;
  if (running.size === 0) {
    state.running.delete(id);
    // Created here and never committed: nobody else knows of it.
    if (state.entries.get(id)?.record.mark.version === 0) state.entries.delete(id);
  }
  const former = state.formers.get(id);
  if (former?.running.delete(request) !== true) return;
  state.effects.push({ kind: 'own', message: { kind: 'finished', id, request } });
  if (former.target !== null) state.relay(former.target, { kind: 'finished', id, request });
  forget(state, id, former);
}

function forget(state: PrimaryState, id: SessionId, former: Former): void {
  if (former.pending.size === 0 && former.running.size === 0) state.formers.delete(id);
}
