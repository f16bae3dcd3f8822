import { assign } from '../assignment.ts';
import type { NodeId, SessionId } from '../ids.ts';
import type { View } from '../view.ts';
import { isSameMember } from '../view-history.ts';
import { endIdle } from './commit.ts';
import { judge } from './custody.ts';
import type { Token } from './events.ts';
import { demote } from './former.ts';
import { release } from './gate.ts';
import { type Entry, type PrimaryState, unsynced } from './state.ts';
import { supply } from './supply.ts';
import { isIdle, isOver, use } from './touch.ts';

/**
 * P5: brings one entry to the current view, through every view in between; undefined when it is no longer held here.
 * Whoever touches an entry calls this first; the sweep calls it for the rest.
 */
export function advance(state: PrimaryState, id: SessionId): Entry | undefined {
  const entry = state.entries.get(id);
  if (entry === undefined) return undefined;
  const views = state.views.after(entry.seen);
  if (views.length === 0) return entry;
  let changed = false;
  for (const view of views) {
    if (entry.handover === null && state.views.isUnconcerned(view, [state.self, ...entry.others])) {
      entry.seen = view;
      continue;
    }
    changed = true;
    const { primary, writeSet } = assign(state.rank, view, id);
    if (primary !== state.self) {
      demote(state, entry);
      return undefined;
    }
    follow(
      state,
      entry,
      view,
      writeSet.filter((member) => member !== state.self),
    );
  }
  if (entry.record.mark.version === 0) return entry;
  if (changed) {
    judge(state, entry);
    state.hasMoved = true;
  }
  // What was in flight under a former view is refused there: it is sent again under this one.
  supply(state, entry);
  release(state, entry);
  return entry;
}

/** Still primary in `view`: what is acknowledged counts on for the members that stay, each of the same incarnation. */
function follow(state: PrimaryState, entry: Entry, view: View, others: readonly NodeId[]): void {
  const before = entry.seen;
  entry.seen = view;
  for (const member of entry.others) {
    if (!others.includes(member) || !isSameMember(before, view, member)) entry.acked.delete(member);
    // It keeps its copy until it knows that this member has entered the view that takes it away.
    if (!others.includes(member)) entry.holders.add(member);
  }
  for (const member of others) {
    if (entry.acked.has(member)) continue;
    entry.acked.set(member, unsynced);
  }
  entry.others = others;
  if (entry.handover === null) return;
  // A former primary that is no longer a member forwards nothing more.
  for (const [request, member] of entry.handover.running) {
    if (view.members[member] === undefined) entry.handover.running.delete(request);
  }
  if (entry.handover.running.size === 0) endHandover(state, entry);
}

export function endHandover(state: PrimaryState, entry: Entry): void {
  entry.handover = null;
  state.handovers.delete(entry.record.id);
  const { blocked } = entry;
  entry.blocked = [];
  for (const token of blocked) opened(state, entry, token);
}

/** Gives the record to a request. A session found past a limit ends here, whether or not the sweep has come by. */
export function opened(state: PrimaryState, entry: Entry, token: Token): void {
  if (isOver(state, entry.record)) {
    state.effects.push({ kind: 'opened', token, record: null });
    return;
  }
  const { id, deleted } = entry.record;
  const alone = (state.running.get(id)?.size ?? 0) <= 1;
  if (!deleted && alone && isIdle(state, entry)) endIdle(state, entry);
  use(state, entry);
  state.effects.push({ kind: 'opened', token, record: entry.record });
}
