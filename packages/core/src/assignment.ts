import type { NodeId, SessionId } from './ids.ts';
import type { Rank } from './rank.ts';
import type { View } from './view.ts';

/** Who holds a session in a view. */
export interface Assignment {
  /** Rank 1 in the ring: the only member that commits. Null when the ring is empty. */
  readonly primary: NodeId | null;
  /** Every member that must acknowledge a write: the best `copies` of `ring`, then those of `next` not among them. Primary first. */
  readonly writeSet: readonly NodeId[];
}

/** Arithmetic only: whoever has the view and the key comes to the same answer, so nobody has to be asked. */
export function assign(rank: Rank, view: View, id: SessionId): Assignment {
  const { ring, next, members, copies } = view;
  const now = rank(id, ring, members, copies).slice(0, copies);
  const primary = now[0] ?? null;
  if (next === null) return { primary, writeSet: now };
  const then = rank(id, next, members, copies).slice(0, copies);
  return { primary, writeSet: [...now, ...then.filter((node) => !now.includes(node))] };
}
