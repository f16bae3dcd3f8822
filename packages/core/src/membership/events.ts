import type { NodeId } from '../ids.ts';
import type { Death } from '../messages.ts';
import type { View, ViewNumber } from '../view.ts';

export type Side = 'app' | 'keeper';

interface Ready {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly weight: number;
}

/** What the supervisor saw, or what the operator wants. */
export type MembershipEvent =
  /**
   * The start of a life that takes over from a former supervisor (`adopt`): the first view of the new term is due.
   * `dead`: members of the adopted view that live no more; a death told before this event and not in it is lost.
   */
  | { readonly kind: 'adopted'; readonly dead: readonly Death[] }
  /** The worker listens and both its sides (app loop and keeper) are connected. */
  | ({ readonly kind: 'ready' } & Ready)
  /** The same of nodes that have taken in the saved sessions for a ring of exactly them: they start, whoever is missing. */
  | { readonly kind: 'start'; readonly nodes: readonly Ready[] }
  /** Proven dead (P7). */
  | { readonly kind: 'died'; readonly death: Death }
  /** It was drained, was told to end, and has ended: proven like a death, but nobody's loss (P11). */
  | { readonly kind: 'left'; readonly node: NodeId; readonly incarnation: number }
  /** One side of a member has nothing left to do in this view (P9). Repeated while true. */
  | {
      readonly kind: 'done';
      readonly node: NodeId;
      readonly incarnation: number;
      readonly side: Side;
      readonly view: ViewNumber;
    }
  /** It will not be started again. */
  | { readonly kind: 'givenUp'; readonly node: NodeId }
  /**
   * The operator wants it out of the ring, until `undrain`. After an adoption one of the two is said of every node: a view
   * does not name wishes, and until then a drain that was under way goes on.
   */
  | { readonly kind: 'drain'; readonly node: NodeId }
  | { readonly kind: 'undrain'; readonly node: NodeId }
  /** The operator wants these nodes, no others; at least one. Those in the ring beyond them are drained, the last first. */
  | { readonly kind: 'want'; readonly nodes: readonly NodeId[] }
  | { readonly kind: 'tick' };

export type MembershipEffect =
  /** Write to disk, then send to every process. */
  | { readonly kind: 'publish'; readonly view: View; readonly deaths: readonly Death[] }
  /** Every session has its copies in this view; `whole`: and every node that should be in the ring and was not given up is in it. */
  | { readonly kind: 'settled'; readonly view: ViewNumber; readonly whole: boolean }
  /** Outside the ring, and nobody needs anything of it any more: have it finish what it runs and end. */
  | { readonly kind: 'drained'; readonly node: NodeId; readonly incarnation: number }
  /** It is not drained: without it nobody would serve. The wish is forgotten. */
  | { readonly kind: 'refused'; readonly node: NodeId; readonly why: 'last' };

export interface MembershipOptions {
  readonly term: number;
  /** Copies of each session, 1 to 3. */
  readonly copies: number;
  readonly keyId: number;
  /** The nodes that should be in the ring. */
  readonly wanted: readonly NodeId[];
  /**
   * The newest view of a former supervisor's life, null when there is none. Ring, next, leaving, members, copies and key
   * go on as they were; nothing is published until `adopted` is told. Nodes of it that are not `wanted` are drained.
   */
  readonly adopt: View | null;
}
