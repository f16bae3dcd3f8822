import {
  compareViews,
  hasMember,
  type NodeId,
  type Rank,
  type SessionId,
  type View,
  type ViewNumber,
} from '@limpet/core';

/** P1, decided in one step at the worker. */
export type AdmissionRule =
  | { readonly kind: 'serve' }
  /** The balancer knows a newer view: wait for it. */
  | { readonly kind: 'wait' }
  /** 421: nothing has run here. */
  | { readonly kind: 'elsewhere'; readonly why: 'not-member' | 'not-primary' | 'not-in-ring' };

export interface Asking {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly view: View | null;
  /** The view the balancer routed by. An older one does not matter: this worker's own decides. */
  readonly asked: ViewNumber;
  readonly session: SessionId | null;
  readonly rank: Rank;
}

export function decideAdmission({ node, incarnation, view, asked, session, rank }: Asking): AdmissionRule {
  if (view === null || compareViews(asked, view) > 0) return { kind: 'wait' };
  if (!hasMember(view, node, incarnation)) return { kind: 'elsewhere', why: 'not-member' };
  if (session === null) {
    // A session born here would have its home here: a member that leaves takes none.
    const takesNew = view.ring.includes(node) && !view.leaving.includes(node);
    return takesNew ? { kind: 'serve' } : { kind: 'elsewhere', why: 'not-in-ring' };
  }
  const primary = rank(session, view.ring, view.members, 1)[0];
  return primary === node ? { kind: 'serve' } : { kind: 'elsewhere', why: 'not-primary' };
}
