import type { NodeId, RequestId, SessionId } from '../ids.ts';
import { dropAnswer } from '../record.ts';
import { numberOf } from '../view.ts';
import { judge, report } from './custody.ts';
import type { Settled } from './events.ts';
import { type Done, type Entry, type PrimaryState, unsynced } from './state.ts';
import { hurry, pump } from './supply.ts';

/** Delivered answers told to the copies in one message. */
const deliveredBatch = 512;

/** The least acknowledged version over all other members of the write set (P4); infinite when there is none. */
const acknowledged = ({ others, acked }: Entry): number =>
  others.reduce((least, member) => Math.min(least, acked.get(member) ?? unsynced), Number.POSITIVE_INFINITY);

const safe: Settled = { kind: 'safe' };

/** Settles once the whole write set has acknowledged the version. */
export function wait(state: PrimaryState, entry: Entry, version: number, done: Done, settled: Settled = safe): void {
  if (acknowledged(entry) >= version) {
    settle(state, done, settled);
    return;
  }
  entry.waiters.push({ version, done, settled });
  state.held.add(entry.record.id);
  hurry(state, entry);
}

export function settle(state: PrimaryState, done: Done, settled: Settled): void {
  if ('token' in done) {
    state.effects.push({ kind: 'settled', token: done.token, settled });
    return;
  }
  const verdict = settled.kind === 'gone' || settled.kind === 'refused' ? settled.kind : 'safe';
  const mark = verdict === 'safe' ? (done.mark ?? null) : null;
  state.relay(done.reply, { kind: 'forwarded', view: numberOf(state.view), sequence: done.sequence, verdict, mark });
}

/** Something may have been acknowledged: opens what can be opened. Called on every event that can open the gate. */
export function release(state: PrimaryState, entry: Entry): void {
  const reached = acknowledged(entry);
  if (reached !== unsynced) {
    for (const member of entry.holders) confirm(state, entry.record.id, member);
    entry.holders.clear();
    entry.alike = null;
  }
  if (entry.waiters.length === 0) return;
  const open = entry.waiters.filter((waiter) => waiter.version <= reached);
  if (open.length === 0) return;
  entry.waiters = entry.waiters.filter((waiter) => waiter.version > reached);
  if (entry.waiters.length === 0) state.held.delete(entry.record.id);
  for (const { done, settled } of open) settle(state, done, settled);
}

/** A holder learns that it need not keep the session for safety's sake. */
export function confirm(state: PrimaryState, id: SessionId, member: NodeId): void {
  if (member === state.self) state.effects.push({ kind: 'own', message: { kind: 'taken', id } });
  else state.sendTo(member, { kind: 'confirmed', id, view: numberOf(state.view) });
}

export function acknowledge(
  state: PrimaryState,
  id: SessionId,
  entry: Entry | undefined,
  from: NodeId,
  version: number,
): void {
  const lane = state.links.get(from)?.lane;
  lane?.acknowledged(id, version);
  const acked = entry?.acked.get(from);
  if (entry !== undefined && acked !== undefined && acked < version) {
    entry.acked.set(from, version);
    if (acked === unsynced) judge(state, entry);
    if (state.hasMoved) report(state);
    release(state, entry);
  }
  if (lane !== undefined) pump(state, from, lane);
}

/** The answer's bytes are dropped here at once and at the copies in a batch (P2). */
export function deliver(state: PrimaryState, id: SessionId, request: RequestId): void {
  const entry = state.entries.get(id);
  if (entry === undefined || (entry.record.log.get(request)?.answer ?? null) === null) return;
  dropAnswer(entry.record, request);
  state.delivered.push([id, request]);
  if (state.delivered.length >= deliveredBatch) flushDelivered(state);
}

/** To every member, not sorted by write set: one small batch for all costs less than one for each. */
export function flushDelivered(state: PrimaryState): void {
  const view = state.views.current;
  if (view === null || state.delivered.length === 0) return;
  const requests = state.delivered;
  state.delivered = [];
  for (const { id } of Object.values(view.members)) {
    if (id !== state.self) state.sendTo(id, { kind: 'delivered', requests });
  }
}
