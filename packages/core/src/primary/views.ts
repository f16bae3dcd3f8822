import type { NodeId } from '../ids.ts';
import { numberOf, type View } from '../view.ts';
import { advance, endHandover } from './advance.ts';
import { askAgain, claimOffered, restartClaims } from './claim.ts';
import { report } from './custody.ts';
import { resendPending, retarget } from './former.ts';
import type { PrimaryState } from './state.ts';
import { pumpAll, supply } from './supply.ts';

/** How much too early a timer may fire, in milliseconds. */
const timerMs = 2;

/** A newer view: claims start over, forwards find their new target, and the sweep begins. False: not newer. */
export function enter(state: PrimaryState, view: View): boolean {
  const before = state.views.current;
  if (!state.views.append(view)) return false;
  state.unknown.clear();
  for (const [member, { incarnation, lane }] of state.links) {
    if (view.members[member]?.incarnation !== incarnation) state.links.delete(member);
    else lane.reset();
  }
  restartClaims(state);
  retarget(state, before, view);
  sweepAnew(state);
  return true;
}

/** Every entry is looked at again; first those that a response is held for (P12). */
function sweepAnew(state: PrimaryState): void {
  state.sweep = state.entries.keys();
  state.effects.push({ kind: 'more', afterMs: 0 });
  for (const id of [...state.held]) {
    const entry = advance(state, id);
    if (entry !== undefined) supply(state, entry);
  }
}

/** A slice of the sweep: entries that nobody has touched since the view came (P5), or a member could be reached again. */
export function sweepSome(state: PrimaryState, budget: number): void {
  sendPaced(state);
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
    const entry = advance(state, next.value);
    if (entry !== undefined) supply(state, entry);
  }
  state.effects.push({ kind: 'more', afterMs: 0 });
}

/** Sends and takes up what has waited for its pace (P12). */
export function sendPaced(state: PrimaryState): void {
  if (state.wakeAtMs !== null && state.nowMs >= state.wakeAtMs - timerMs) state.wakeAtMs = null;
  pumpAll(state);
  claimOffered(state);
}

/** The connection to a member's keeper came or went. What was sent on a former one may be lost: it is sent again. */
export function linked(state: PrimaryState, member: NodeId, incarnation: number, up: boolean): void {
  if (!up) {
    if (state.links.get(member)?.incarnation === incarnation) state.links.delete(member);
    return;
  }
  // Late news of a connection to a former incarnation.
  if (state.views.current?.members[member]?.incarnation !== incarnation) return;
  state.linkedTo(member, incarnation);
  askAgain(state, member);
  sweepAnew(state);
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
