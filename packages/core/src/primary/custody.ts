import type { SessionId } from '../ids.ts';
import type { Holding } from '../messages.ts';
import { formatAddress, numberOf, type View } from '../view.ts';
import { type Entry, type PrimaryState, unsynced } from './state.ts';

/** Who holds the sessions of this member: sums, kept with every change, so that they can be told at any time. */

/** Brings what is counted of a session up to date. Called whenever a member begins or ceases to hold it, or it ends. */
export function judge(state: PrimaryState, entry: Entry): void {
  const { id, mark, deleted } = entry.record;
  if (mark.version === 0) return;
  let lacks = false;
  const holders: string[] = [];
  for (const member of entry.others) {
    if ((entry.acked.get(member) ?? unsynced) === unsynced) lacks = true;
    else holders.push(formatAddress({ id: member, incarnation: entry.seen.members[member]?.incarnation ?? 0 }));
  }
  if (lacks) state.unsynced.add(id);
  else state.unsynced.delete(id);
  count(state, entry, deleted ? null : holders.sort().join(' '));
}

function count(state: PrimaryState, entry: Entry, holders: string | null): void {
  if (entry.counted === holders) return;
  if (entry.counted !== null) {
    const left = (state.holdings.get(entry.counted) ?? 0) - 1;
    if (left > 0) state.holdings.set(entry.counted, left);
    else state.holdings.delete(entry.counted);
  }
  if (holders !== null) state.holdings.set(holders, (state.holdings.get(holders) ?? 0) + 1);
  entry.counted = holders;
  state.holdingsChanges += 1;
}

export function listHoldings(state: PrimaryState): readonly Holding[] {
  return [...state.holdings].map(([key, sessions]) => ({ holders: key === '' ? [] : key.split(' '), sessions }));
}

/** Sessions with fewer copies than asked for; copies at members that the view no longer lists are none. */
export function countUnprotected(state: PrimaryState, view: View): number {
  const present = new Set(Object.values(view.members).map(formatAddress));
  let sessions = 0;
  for (const holding of listHoldings(state)) {
    const copies = 1 + holding.holders.filter((holder) => present.has(holder)).length;
    if (copies < view.copies) sessions += holding.sessions;
  }
  return sessions;
}

/**
 * Done with a view: every record brought to it and held by its whole write set (P9). Said at once when copies have been
 * made, so that nobody hears that all are there before hearing where they are.
 */
export function report(state: PrimaryState): void {
  const view = state.views.current;
  if (view === null || state.sweep !== null || state.unsynced.size > 0) return;
  state.effects.push({ kind: 'done', view: numberOf(view), isNews: state.hasMoved });
  state.hasMoved = false;
}

/** Nothing of the session is held here any more. */
export function drop(state: PrimaryState, id: SessionId): void {
  const entry = state.entries.get(id);
  if (entry !== undefined) count(state, entry, null);
  state.entries.delete(id);
  state.unsynced.delete(id);
  state.held.delete(id);
  state.tombstones.delete(id);
  state.touched.delete(id);
  for (const { lane } of state.links.values()) lane.forget(id);
}
