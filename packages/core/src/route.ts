import { readCookie } from './cookie.ts';
import type { NodeId, SessionId } from './ids.ts';
import type { Rank } from './rank.ts';
import { parseSessionId } from './session-id.ts';
import type { SipKey } from './siphash.ts';
import type { Member, View } from './view.ts';

/** Where a request goes, and why. `session`: the home of its id. `load`: two random members, the less busy one. */
export type Route =
  | { readonly kind: 'member'; readonly member: Member; readonly by: 'session' | 'load' }
  /** No member may take it in this view. */
  | { readonly kind: 'none' };

/** What a balancer routes by: one immutable object, swapped by one assignment when a view comes. */
export interface RoutingTable {
  readonly view: View;
  /** Members that may be primary: the ring without those that are leaving. */
  readonly homes: readonly NodeId[];
  /** Members for requests without a session. While the ring moves, those that stay: a new id is homed in both rings (P15). */
  readonly open: readonly NodeId[];
  readonly rank: Rank;
}

/** The routing table of a view. `isSuspect`: takes no new sessions while there is a member that is not (P8). */
export function planRoutes(view: View, rank: Rank, isSuspect: (member: Member) => boolean = () => false): RoutingTable {
  const isListed = (node: NodeId) => view.members[node] !== undefined && !view.leaving.includes(node);
  const homes = view.ring.filter(isListed);
  const staying = homes.filter((node) => view.next === null || view.next.includes(node));
  const open = staying.length > 0 ? staying : homes;
  const sound = open.filter((node) => {
    const member = view.members[node];
    return member !== undefined && !isSuspect(member);
  });
  return { view, homes, open: sound.length > 0 ? sound : open, rank };
}

/**
 * Picks the member for one attempt. With an id: rank 1 of the ring, whatever its load. Without: the one with fewer
 * requests in flight of two drawn by `draws`, two numbers in [0, 1). A member just seen to fail (`avoid`) is not drawn
 * while there is another.
 */
export function decideRoute(
  table: RoutingTable,
  id: SessionId | null,
  inFlight: (member: Member) => number,
  draws: readonly [number, number],
  avoid: NodeId | null = null,
): Route {
  if (id !== null) {
    return memberOf(table, table.rank(id, table.homes, table.view.members, 1)[0], 'session');
  }
  const pick = avoid === null ? table.open : table.open.filter((node) => node !== avoid);
  const open = pick.length > 0 ? pick : table.open;
  const first = Math.floor(draws[0] * open.length);
  // The second draw is among the others, so that two members are compared whenever there are two.
  const second = open.length < 2 ? first : (first + 1 + Math.floor(draws[1] * (open.length - 1))) % open.length;
  const a = memberOf(table, open[first], 'load');
  const b = memberOf(table, open[second], 'load');
  if (a.kind === 'none' || b.kind === 'none') return a;
  return inFlight(b.member) < inFlight(a.member) ? b : a;
}

function memberOf(table: RoutingTable, node: NodeId | undefined, by: 'session' | 'load'): Route {
  const member = node === undefined ? undefined : table.view.members[node];
  return member === undefined ? { kind: 'none' } : { kind: 'member', member, by };
}

/** How session ids are found: names as configured, every key that verifies. */
export interface SessionNames {
  readonly cookieName: string;
  /** Lower case; null when ids travel in cookies only. */
  readonly headerName: string | null;
  readonly macKeys: readonly SipKey[];
}

/**
 * The session id of a request, or null: the header first, then the first cookie of the name whose MAC holds. A forged,
 * foreign or garbled id is none: never ranked, never looked up, never passed on.
 */
export function findSession(
  headerValue: string | undefined,
  cookie: string | undefined,
  names: SessionNames,
): SessionId | null {
  const fromHeader = headerValue === undefined ? null : parseSessionId(headerValue.trim(), names.macKeys);
  if (fromHeader !== null) return fromHeader;
  for (const value of readCookie(cookie, names.cookieName)) {
    const id = parseSessionId(value, names.macKeys);
    if (id !== null) return id;
  }
  return null;
}
