import type { NodeId } from '../ids.ts';
import { numberOf, type View } from '../view.ts';
import { advance, endHandover } from './advance.ts';
import { askAgain, restartClaims } from './claim.ts';
import { resendPending, retarget } from './former.ts';
import { sendRecord } from './gate.ts';
import { type PrimaryState, unsynced } from './state.ts';

/** A newer view: claims start over, forwards find their new target, and the sweep begins. False: not newer. */
export function enter(state: PrimaryState, view: View): boolean {
  const before = state.views.current;
  if (!state.views.append(view)) return false;
  state.unknown.clear();
  for (const [member, incarnation] of state.links) {
    if (view.members[member]?.incarnation !== incarnation) state.links.delete(member);
  }
  restartClaims(state);
  retarget(state, before, view);
  state.sweep = state.entries.keys();
  state.effects.push({ kind: 'more' });
  return true;
}

/** A slice of the sweep: entries that nobody has touched since the view came (P5). */
export function sweepSome(state: PrimaryState, budget: number): void {
  if (state.sweep === null) return;
  for (let left = budget; left > 0; left -= 1) {
    const next = state.sweep.next();
    if (next.done === true) {
      state.sweep = null;
      state.views.forgetFormer();
      state.effects.push({ kind: 'own', message: { kind: 'swept', view: numberOf(state.view) } });
      report(state);
      return;
    }
    advance(state, next.value);
  }
  state.effects.push({ kind: 'more' });
}

/** Done with a view: every record brought to it and held by its whole write set (P9). */
export function report(state: PrimaryState): void {
  const view = state.views.current;
  if (view === null || state.sweep !== null || state.unprotected.size > 0) return;
  state.effects.push({ kind: 'done', view: numberOf(view) });
}

/** The connection to a member's keeper came or went. What was sent on a former one may be lost: it is sent again. */
export function linked(state: PrimaryState, member: NodeId, incarnation: number, up: boolean): void {
  if (!up) {
    if (state.links.get(member) === incarnation) state.links.delete(member);
    return;
  }
  // Late news of a connection to a former incarnation.
  if (state.views.current?.members[member]?.incarnation !== incarnation) return;
  state.links.set(member, incarnation);
  askAgain(state, member);
  for (const id of state.entries.keys()) {
    const entry = advance(state, id);
    const { version } = entry?.record.mark ?? { version: 0 };
    if (entry?.acked.has(member) && (entry.acked.get(member) ?? unsynced) < version) sendRecord(state, entry, member);
  }
  for (const [id, former] of state.formers) if (former.target === member) resendPending(state, former, id);
}

/** Ends handovers that have waited long enough. */
export function endLateHandovers(state: PrimaryState): void {
  for (const id of state.handovers) {
    const entry = state.entries.get(id);
    if (entry?.handover == null) state.handovers.delete(id);
    else if (state.nowMs >= entry.handover.untilMs) endHandover(state, entry);
  }
}
