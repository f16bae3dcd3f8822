import type { NodeId } from './ids.ts';
import { assert } from './unreachable.ts';
import { compareViews, type View, type ViewNumber } from './view.ts';

const nobody: ReadonlySet<NodeId> = new Set();

/** Views a member has been given and not yet brought all its records to, oldest first; the last one is current. */
export class ViewHistory {
  #views: View[] = [];
  /** For views that differ from the one before only by members that are gone: who. */
  readonly #gone = new WeakMap<View, ReadonlySet<NodeId>>();

  get current(): View | null {
    return this.#views.at(-1) ?? null;
  }

  /** Appends a newer view; false for one that is not newer (a repeated message). */
  append(view: View): boolean {
    const current = this.current;
    if (current !== null && compareViews(view, current) <= 0) return false;
    const follows = current === null || view.term > current.term || view.number === current.number + 1;
    assert(follows, `view ${view.number} after ${current?.number}: none is ever skipped (P5)`);
    const gone = current === null ? null : findGone(current, view);
    if (gone !== null) this.#gone.set(view, gone);
    this.#views.push(view);
    return true;
  }

  /** The views after `seen`, in order. None is ever skipped: a role lost in between must be noticed (P5). */
  after(seen: ViewNumber): readonly View[] {
    const last = this.#views.at(-1);
    if (last === undefined || compareViews(last, seen) <= 0) return [];
    return this.#views.filter((view) => compareViews(view, seen) > 0);
  }

  /**
   * Whether `view` changed nothing for a session whose first ranks are held by `members` and by no other: it took only
   * others away, and with the first ranks in place no lower one counts (P5: a death concerns only records whose top ranks
   * hold the dead member).
   */
  isUnconcerned(view: View, members: readonly NodeId[]): boolean {
    const gone = this.#gone.get(view);
    return gone !== undefined && !members.some((member) => gone.has(member));
  }

  /** Every record has been brought to the current view: the former ones are no longer needed. */
  forgetFormer(): void {
    this.#views = this.#views.slice(-1);
  }
}

/** The members that `view` has lost, when that is all that has changed; null when there is more. */
function findGone(before: View, view: View): ReadonlySet<NodeId> | null {
  if (before.keyId !== view.keyId || before.copies !== view.copies) return null;
  for (const member of Object.values(view.members)) {
    if (!isSameMember(before, view, member.id) || before.members[member.id]?.weight !== member.weight) return null;
  }
  const gone = new Set(Object.values(before.members).flatMap(({ id }) => (view.members[id] === undefined ? [id] : [])));
  const without = (ids: readonly NodeId[]): readonly NodeId[] => ids.filter((id) => !gone.has(id));
  const isPlain =
    isSameList(without(before.ring), view.ring) &&
    isSameList(without(before.next ?? before.ring), view.next ?? view.ring);
  return isPlain ? (gone.size === 0 ? nobody : gone) : null;
}

const isSameList = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id, at) => b[at] === id);

/**
 * Whether `self` may have lost primaries on the way from one view to the next: to a member that the ring has gained, or
 * all of them because it is out of the ring itself. A death takes none from those that live.
 */
export const mayLosePrimaries = (self: NodeId, from: View | null, to: View): boolean =>
  (from?.ring.includes(self) === true && !to.ring.includes(self)) ||
  to.ring.some((id) => from === null || !isSameMember(from, to, id) || !from.ring.includes(id));

export const isSameMember = (from: View, to: View, id: NodeId): boolean =>
  from.members[id] !== undefined && from.members[id]?.incarnation === to.members[id]?.incarnation;
