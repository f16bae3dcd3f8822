import type { SessionId } from './ids.ts';

/** How long a request that ended a worker is remembered, and a session with two of them refused. */
export const suspicionMs = 60_000;
/** Routes and sessions remembered; the oldest gives way. */
export const suspectsMax = 1_000;
/** Worker deaths by one session within `suspicionMs` after which it is refused. */
export const sessionDeathsMax = 2;
/**
 * Worker deaths by one route within `suspicionMs` after which it is refused: a client without a session that repeats a
 * crashing request must not use up the starts a node has (5 in 30 s) on every node in turn.
 */
export const routeDeathsMax = 3;
/**
 * A watched route that has been served so often since its last death is free again: the death was not its own. A request
 * that happened to run alone where a timer threw is taken for the culprit, and its route may be everybody's.
 */
export const servedMin = 10;

/** What is known of a request before it is sent. `watched`: one at a time, only while the cluster is settled and whole. */
export type Standing =
  | { readonly kind: 'free' }
  | { readonly kind: 'watched' }
  | { readonly kind: 'refused'; readonly why: 'route' | 'session'; readonly forMs: number };

interface Deaths {
  /** Addresses of the dead workers and when, oldest first. One death counts once, however many requests it ended. */
  readonly deaths: Map<string, number>;
  refusedUntil: number;
  /** Watched requests that a worker has answered since the last death. */
  served: number;
}

/**
 * The memory of requests that certainly ended a worker (P21). Bounded; the time is passed in. Each balancer has its
 * own: a request comes back to any of them, so a route may be tried once more by each.
 */
export class Suspects {
  readonly #routes = new Map<string, Deaths>();
  readonly #sessions = new Map<SessionId, Deaths>();

  /** The route of a request: its method and path, without the query, which a client can vary at will. */
  static route(method: string, target: string): string {
    const query = target.indexOf('?');
    return `${method} ${query < 0 ? target : target.slice(0, query)}`;
  }

  /** Notes a certain culprit and the workers it ended. True when its session is refused from now on. */
  note(route: string, session: SessionId | null, ended: readonly string[], nowMs: number): boolean {
    count(this.#routes, route, ended, routeDeathsMax, nowMs);
    return session !== null && count(this.#sessions, session, ended, sessionDeathsMax, nowMs);
  }

  /** A worker has answered a request that was sent while its route was watched. */
  served(route: string): void {
    const record = this.#routes.get(route);
    if (record === undefined) return;
    record.served += 1;
    if (record.served >= servedMin) this.#routes.delete(route);
  }

  /** What is known of a request with this route and session. */
  standing(route: string, session: SessionId | null, nowMs: number): Standing {
    if (this.#routes.size === 0 && this.#sessions.size === 0) return { kind: 'free' };
    const bySession = session === null ? undefined : this.#sessions.get(session);
    if (bySession !== undefined && bySession.refusedUntil > nowMs) {
      return { kind: 'refused', why: 'session', forMs: bySession.refusedUntil - nowMs };
    }
    const byRoute = this.#routes.get(route);
    if (byRoute === undefined) return { kind: 'free' };
    if (byRoute.refusedUntil > nowMs) return { kind: 'refused', why: 'route', forMs: byRoute.refusedUntil - nowMs };
    forget(byRoute, nowMs);
    if (byRoute.deaths.size > 0) return { kind: 'watched' };
    this.#routes.delete(route);
    return { kind: 'free' };
  }
}

function count<Key>(
  table: Map<Key, Deaths>,
  key: Key,
  ended: readonly string[],
  deathsMax: number,
  nowMs: number,
): boolean {
  const record = table.get(key) ?? { deaths: new Map<string, number>(), refusedUntil: 0, served: 0 };
  forget(record, nowMs);
  record.served = 0;
  for (const address of ended) record.deaths.set(address, nowMs);
  // Moved to the end, so that the first key is the one least recently noted.
  table.delete(key);
  table.set(key, record);
  for (const oldest of table.keys()) {
    if (table.size <= suspectsMax) break;
    table.delete(oldest);
  }
  const isNew = record.refusedUntil <= nowMs && record.deaths.size >= deathsMax;
  if (isNew) record.refusedUntil = nowMs + suspicionMs;
  return isNew;
}

function forget(record: Deaths, nowMs: number): void {
  for (const [address, at] of record.deaths) {
    if (nowMs - at >= suspicionMs) record.deaths.delete(address);
  }
}
