import type { NodeId, SessionId } from '../ids.ts';
import type { SessionRecord } from '../messages.ts';
import { touch } from '../record.ts';
import { numberOf } from '../view.ts';
import type { Entry, PrimaryState } from './state.ts';

/** Touches told to a member in one message. */
const touchBatch = 512;

/** The session is being used. */
export function use(state: PrimaryState, entry: Entry): void {
  const { record } = entry;
  if (record.deleted) return;
  touch(record, state.nowMs);
  entry.graceMs = 0;
  if (record.mark.version > 0) state.touched.add(record.id);
}

/** Past its absolute end: it does not exist any more, whoever still holds it. */
export const isOver = (state: PrimaryState, { mark, expiresAt }: Pick<SessionRecord, 'mark' | 'expiresAt'>): boolean =>
  mark.version > 0 && state.nowMs > expiresAt;

export const isIdle = (state: PrimaryState, { record, graceMs }: Entry): boolean =>
  record.mark.version > 0 && state.nowMs - record.touchedAt > state.idleMs + graceMs;

/** Tells the copies, a batch per member: nothing waits for it, and what is lost is covered by the next use or the grace. */
export function sendTouches(state: PrimaryState): void {
  if (state.nowMs - state.touchesSentAtMs < state.touchEveryMs) return;
  state.touchesSentAtMs = state.nowMs;
  const batches = new Map<NodeId, [SessionId, number][]>();
  for (const id of state.touched) {
    const entry = state.entries.get(id);
    for (const member of entry?.others ?? []) {
      const batch = batches.get(member);
      const touched: [SessionId, number] = [id, entry?.record.touchedAt ?? 0];
      if (batch === undefined) batches.set(member, [touched]);
      else batch.push(touched);
    }
  }
  state.touched.clear();
  const view = state.views.current;
  if (view === null) return;
  for (const [member, sessions] of batches) {
    for (let start = 0; start < sessions.length; start += touchBatch) {
      const batch = sessions.slice(start, start + touchBatch);
      state.sendTo(member, { kind: 'touched', sessions: batch, view: numberOf(view) });
    }
  }
}
