import type { NodeId } from '../ids.ts';
import type { Member, View } from '../view.ts';

/** A view's content before it has a number: pure changes of one into the next. */

const placeOf = (id: NodeId): number => Number(id.slice(1));
export const sorted = (ids: readonly NodeId[]): readonly NodeId[] => [...ids].sort((a, b) => placeOf(a) - placeOf(b));
const sameSet = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id) => b.includes(id));
const minus = (ids: readonly NodeId[], node: NodeId): readonly NodeId[] => ids.filter((id) => id !== node);

/** The members that the ring is losing: those of a drain under way. */
export const departing = (view: View): readonly NodeId[] => {
  const { ring, next } = view;
  return next === null ? [] : ring.filter((id) => !next.includes(id));
};

/** Without a member that is gone. */
export function withoutMember(view: View, node: NodeId): View {
  const { [node]: _, ...members } = view.members;
  const leaving = minus(view.leaving, node);
  const ring = minus(view.ring, node);
  // A survivor died: what it held is copied again first, with everyone who is still there (P11).
  const isCancelled = departing(view).length > 0 && view.next?.includes(node) === true;
  const next = view.next === null || isCancelled ? null : minus(view.next, node);
  if (next === null || next.length === 0) return { ...view, ring, next: null, leaving, members };
  // The joiner is all that is left: it has what had been transferred so far, and nobody has more.
  if (ring.length === 0 || sameSet(next, ring)) return { ...view, ring: next, next: null, leaving, members };
  return { ...view, ring, next, leaving, members };
}

/** The joint view that takes `member` in. It may be one that was leaving. */
export function joining(view: View, member: Member): View {
  const next = sorted([...view.ring, member.id]);
  const leaving = minus(view.leaving, member.id);
  return { ...view, next, leaving, members: { ...view.members, [member.id]: member } };
}

/** The joint view that lets a member of the ring go. */
export const draining = (view: View, node: NodeId): View => ({ ...view, next: minus(view.ring, node) });

/** The end of a joint view: whoever is not in the new ring leaves, and stays a member until it has ended (P10, P11). */
export function switched(view: View, next: readonly NodeId[]): View {
  return { ...view, ring: next, next: null, leaving: sorted([...view.leaving, ...departing(view)]) };
}
