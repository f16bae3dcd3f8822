import type { SessionId } from '../ids.ts';
import { forgetRequests } from '../record.ts';
import { advance } from './advance.ts';
import { endIdle } from './commit.ts';
import { drop } from './custody.ts';
import type { Entry, PrimaryState } from './state.ts';
import { isIdle, isOver } from './touch.ts';

/** Records looked at per tick for the end of their life. */
const endedPerTick = 200;

/** Only the primary ends sessions: an idle one with a tombstone (P14). It also forgets what nobody can ask for any more (P13), a slice per tick. */
export function expire(state: PrimaryState): void {
  state.oldest ??= state.entries.entries();
  for (let left = endedPerTick; left > 0; left -= 1) {
    const next = state.oldest.next();
    if (next.done === true) {
      state.oldest = null;
      break;
    }
    const [id, entry] = next.value;
    // A request may still run on it here, or at the former primary.
    const isUsed = state.running.has(id) || entry.handover !== null;
    if (entry.record.mark.version > 0 && !isUsed) endIfOver(state, id, entry);
  }
  forgetTombstones(state);
}

function endIfOver(state: PrimaryState, id: SessionId, held: Entry): void {
  const { record, waiters } = held;
  forgetRequests(record, state.nowMs - state.logKeptMs, state.bounds);
  const isBuried = record.deleted && state.nowMs - record.touchedAt > state.tombstoneKeptMs;
  if (isBuried || isOver(state, record)) {
    if (waiters.length === 0) drop(state, id);
  } else if (!record.deleted && isIdle(state, held)) {
    const entry = advance(state, id);
    if (entry !== undefined) endIdle(state, entry);
  }
}

/** The bound on tombstones, kept while every session here has its copies: all of them have buried it then (P13). */
function forgetTombstones(state: PrimaryState): void {
  const { tombstonesMax } = state.bounds;
  if (state.tombstones.size <= tombstonesMax || state.sweep !== null || state.unsynced.size > 0) return;
  let left = endedPerTick;
  for (const id of state.tombstones) {
    if (state.tombstones.size <= tombstonesMax || left === 0) return;
    left -= 1;
    if (!state.running.has(id) && state.entries.get(id)?.waiters.length === 0) drop(state, id);
    else state.tombstones.delete(id);
  }
}
