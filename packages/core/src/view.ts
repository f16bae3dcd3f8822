import type { NodeId } from './ids.ts';

/** Orders views: by term (one per life of a supervisor), then by number. */
export interface ViewNumber {
  readonly term: number;
  readonly number: number;
}

/** One incarnation of a node, as a view lists it. */
export interface Member {
  readonly id: NodeId;
  /** Counts the starts of this node, from 1. Identity is id and incarnation: a restarted process never inherits a place. */
  readonly incarnation: number;
  /** Share of sessions relative to the others; 1 unless said otherwise. */
  readonly weight: number;
}

/**
 * A frozen, numbered list of members. Only the supervisor makes one; it is on disk before anyone sees it.
 * Same number with different content is a fatal error.
 */
export interface View extends ViewNumber {
  /** Members that may be primary. */
  readonly ring: readonly NodeId[];
  /** The ring being moved to (a join or a drain), null when stable. */
  readonly next: readonly NodeId[] | null;
  /** Members that finish what they run and take nothing new. */
  readonly leaving: readonly NodeId[];
  /** Every member of ring, next and leaving. */
  readonly members: { readonly [id: string]: Member };
  /** Copies of each session, the primary's included: 1, 2 or 3. */
  readonly copies: number;
  /** Which key ranks placements: its number only, never the key. */
  readonly keyId: number;
  /** Which ranking function; two of them would be two placements. */
  readonly hashVersion: 1;
}

/** Negative when a is older than b, 0 when the same, positive when newer. */
export const compareViews = (a: ViewNumber, b: ViewNumber): number => a.term - b.term || a.number - b.number;

/** A view's number alone, for messages. */
export const numberOf = ({ term, number }: ViewNumber): ViewNumber => ({ term, number });

/** `3.17`: term and number, for logs and headers. */
export const formatViewNumber = (view: ViewNumber): string => `${view.term}.${view.number}`;

const viewNumberPattern = /^(0|[1-9][0-9]{0,14})\.(0|[1-9][0-9]{0,14})$/;

/** The view number spelled by `text` (`3.17`), or null. */
export function parseViewNumber(text: string): ViewNumber | null {
  const match = viewNumberPattern.exec(text);
  return match ? { term: Number(match[1]), number: Number(match[2]) } : null;
}

/** Whether this incarnation of the node is listed in the view. */
export const hasMember = (view: View, id: NodeId, incarnation: number): boolean =>
  view.members[id]?.incarnation === incarnation;

/** `n3.2`: node and incarnation. The base name of a worker's sockets and output file. */
export const formatAddress = (member: Pick<Member, 'id' | 'incarnation'>): string =>
  `${member.id}.${member.incarnation}`;
