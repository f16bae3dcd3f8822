import { createHash } from 'node:crypto';
import {
  assert,
  type CertificateFiles,
  compareViews,
  createPlacementRank,
  createRank,
  type Death,
  type FromSupervisor,
  formatAddress,
  hasMember,
  type Member,
  type NodeId,
  type PlacementRank,
  parseReplayables,
  planRoutes,
  type ReplayableRoute,
  type RoutingTable,
  type SessionNames,
  sipKey,
  type View,
  type ViewNumber,
  type Welcome,
} from '@limpet/core';
import { createTrust, type Trust } from './forwarded.ts';
import { deathsKept, waitersMax } from './limits.ts';

/** Settings from the supervisor, ready for use. */
export interface Settings extends SessionNames {
  readonly deadlineMs: number;
  readonly trust: Trust;
  /** What is spoken to clients: TLS with these, plain HTTP without any. */
  readonly tls: readonly CertificateFiles[];
  readonly replayable: readonly ReplayableRoute[];
  /**
   * The cluster's name in Via. Its own, so that a request that comes back is known from one that another cluster sends
   * here; made of a digest, so that all balancers have the same one and it tells nothing.
   */
  readonly pseudonym: string;
}

interface Waiter {
  readonly isMet: () => boolean;
  readonly done: (met: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

/** What the supervisor has told, and waiting for what it will tell. Keeps the last view when the supervisor is gone. */
export class Cluster {
  #settings: Settings | null = null;
  #rankKey: Uint8Array | null = null;
  #placementRank: PlacementRank | null = null;
  #table: RoutingTable | null = null;
  /** The last view in which each node was in the ring. */
  readonly #lastRing = new Map<NodeId, View>();
  #settled: { readonly view: ViewNumber; readonly whole: boolean } | null = null;
  readonly #deaths = new Map<string, Death>();
  /** Addresses of the members that are suspect. */
  #suspects: ReadonlySet<string> = new Set();
  readonly #waiters = new Set<Waiter>();
  readonly #onView: (view: View) => void;

  constructor(onView: (view: View) => void) {
    this.#onView = onView;
  }

  get settings(): Settings | null {
    return this.#settings;
  }

  /** The routing table of the newest view. Swapped whole: a request reads it once per attempt. */
  get table(): RoutingTable | null {
    return this.#table;
  }

  /** Whether some member can be given a request. */
  get hasHomes(): boolean {
    return (this.#table?.homes.length ?? 0) > 0;
  }

  get view(): View | null {
    return this.#table?.view ?? null;
  }

  /** The last view in which this node could be primary. */
  lastRingOf(node: NodeId): View | null {
    return this.#lastRing.get(node) ?? null;
  }

  /** Every session has its copies and every wanted node is in the ring or given up, in the view we have. */
  get isWhole(): boolean {
    const view = this.view;
    return this.#settled?.whole === true && view !== null && compareViews(this.#settled.view, view) === 0;
  }

  /** The last view that we were told is settled. */
  get settled(): ViewNumber | null {
    return this.#settled?.view ?? null;
  }

  deathOf(member: Member): Death | null {
    return this.#deaths.get(formatAddress(member)) ?? null;
  }

  isListed(member: Member): boolean {
    const view = this.view;
    return view !== null && hasMember(view, member.id, member.incarnation);
  }

  /** The node that owns sessions of this placement in the view. */
  homeOf(placement: Uint8Array, view: View): NodeId | undefined {
    return this.#placementRank?.(placement, view.ring, view.members, 1)[0];
  }

  welcome(welcome: Welcome): void {
    this.#settings = {
      cookieName: welcome.cookieName,
      headerName: welcome.headerName?.toLowerCase() ?? null,
      macKeys: welcome.macKeys.map(sipKey),
      deadlineMs: welcome.deadlineMs,
      trust: createTrust(welcome.trustProxy ?? []),
      replayable: parseReplayables(welcome.replayable ?? []),
      pseudonym: `limpet-${createHash('sha256').update('via').update(welcome.rankKey).digest('hex').slice(0, 8)}`,
      tls: welcome.tls ?? [],
    };
    this.#rankKey = welcome.rankKey;
    this.#placementRank = createPlacementRank(sipKey(welcome.rankKey));
    if (this.view !== null) this.#swap(this.view);
    this.#wake();
  }

  tell(message: Extract<FromSupervisor, { kind: 'views' | 'settled' | 'suspects' }>): void {
    if (message.kind === 'settled') {
      this.#settled = message;
      this.#wake();
      return;
    }
    if (message.kind === 'suspects') {
      this.#suspects = new Set(message.members.map(formatAddress));
      if (this.view !== null) this.#swap(this.view);
      return;
    }
    for (const death of message.deaths) this.#noteDeath(death);
    // Only the newest matters to a balancer: it holds no state that has to pass through each.
    for (const view of message.views) {
      const present = this.view;
      if (present !== null && compareViews(view, present) <= 0) continue;
      this.#swap(view);
      this.#onView(view);
    }
    this.#wake();
  }

  /** Whether `isMet` came true within `ms`. False at once when too many wait already. */
  until(isMet: () => boolean, ms: number): Promise<boolean> {
    if (isMet()) return Promise.resolve(true);
    if (ms <= 0 || this.#waiters.size >= waitersMax) return Promise.resolve(false);
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        done(isMet());
      }, ms);
      const waiter: Waiter = { isMet, done, timer };
      this.#waiters.add(waiter);
    });
  }

  #swap(view: View): void {
    assert(this.#rankKey !== null, 'views come after the welcome');
    const isSuspect = (member: Member) => this.#suspects.has(formatAddress(member));
    this.#table = planRoutes(view, createRank(sipKey(this.#rankKey)), isSuspect);
    for (const node of view.ring) this.#lastRing.set(node, view);
  }

  #noteDeath(death: Death): void {
    this.#deaths.set(formatAddress({ id: death.node, incarnation: death.incarnation }), death);
    for (const oldest of this.#deaths.keys()) {
      if (this.#deaths.size <= deathsKept) break;
      this.#deaths.delete(oldest);
    }
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) {
      if (!waiter.isMet()) continue;
      clearTimeout(waiter.timer);
      this.#waiters.delete(waiter);
      waiter.done(true);
    }
  }
}

/** The waiting Limpet may add to one request, over all its attempts. */
export class Patience {
  #leftMs: number;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster, totalMs: number) {
    this.#cluster = cluster;
    this.#leftMs = totalMs;
  }

  /** Milliseconds left, whole and never negative. */
  get leftMs(): number {
    return Math.max(0, Math.floor(this.#leftMs));
  }

  /** Waits until the condition holds, at most `mostMs` and what is left. The time is charged. */
  until(isMet: () => boolean, mostMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.charge(this.#cluster.until(isMet, Math.min(mostMs, this.leftMs)));
  }

  /** Charges whatever time the promise takes. */
  async charge<T>(waiting: Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await waiting;
    } finally {
      this.#leftMs -= performance.now() - start;
    }
  }
}
