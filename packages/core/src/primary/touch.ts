import type { NodeId, SessionId } from '../ids.ts';
import type { SessionRecord } from '../messages.ts';
import { touch } from '../record.ts';
import { numberOf } from '../view.ts';
import type { Entry, PrimaryState } from './state.ts';

/** Touches told to a member in one message. */
const touchBatch = 512;

/**
 * The session is being used. The next batch tells its copies, unless it was not used for longer than the grace: that news
 * is told at once, before an answer can leave. What a death then keeps from the copies is never more than they grant.
 */
export function use(state: PrimaryState, entry: Entry): void {
  const { record } = entry;
  if (record.deleted) return;
  touch(record, state.nowMs);
  entry.graceMs = 0;
  if (record.mark.version === 0) return;
  state.touched.add(record.id);
  if (record.touchedAt - entry.toldAt > state.touchGraceMs) tellUses(state, [record.id]);
}

/** All copies are told of every use up to that time, or their links are down and they will be sent the record. */
export function told(state: PrimaryState, entry: Entry, at: number): void {
  entry.toldAt = Math.max(entry.toldAt, at);
  state.touched.delete(entry.record.id);
}

/** Past its absolute end: it does not exist any more, whoever still holds it. */
export const isOver = (state: PrimaryState, { mark, expiresAt }: Pick<SessionRecord, 'mark' | 'expiresAt'>): boolean =>
  mark.version > 0 && state.nowMs > expiresAt;

export const isIdle = (state: PrimaryState, { record, graceMs }: Entry): boolean =>
  record.mark.version > 0 && state.nowMs - record.touchedAt > state.idleMs + graceMs;

/** Every so often: nothing waits for it, and what is lost is covered by the next use or the grace. */
export function sendTouches(state: PrimaryState): void {
  if (state.nowMs - state.touchesSentAtMs < state.touchEveryMs) return;
  state.touchesSentAtMs = state.nowMs;
  tellUses(state, [...state.touched]);
}

/** Tells the copies, a batch per member. Who cannot be reached is told with a later batch. */
function tellUses(state: PrimaryState, ids: readonly SessionId[]): void {
  const batches = new Map<NodeId, [SessionId, number][]>();
  for (const id of ids) {
    const entry = state.entries.get(id);
    if (entry === undefined) {
      state.touched.delete(id);
      continue;
    }
    const { touchedAt } = entry.record;
    for (const member of entry.others) {
      const batch = batches.get(member);
      if (batch === undefined) batches.set(member, [[id, touchedAt]]);
      else batch.push([id, touchedAt]);
    }
    if (entry.others.every((member) => state.links.has(member))) told(state, entry, touchedAt);
  }
  const view = state.views.current;
  if (view === null) return;
  for (const [member, sessions] of batches) {
    for (let start = 0; start < sessions.length; start += touchBatch) {
      const batch = sessions.slice(start, start + touchBatch);
      state.sendTo(member, { kind: 'touched', sessions: batch, view: numberOf(view) });
    }
  }
}
