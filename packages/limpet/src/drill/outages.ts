/** From a fault to the first success of someone it concerned. */
export interface Outage {
  /** Milliseconds; null while nobody was served. */
  readonly firstSuccessMs: number | null;
}

/** What is broken at the moment, and how soon its users are served again. One fault at a time. */
export class Outages {
  #open: {
    readonly addresses: ReadonlySet<string> | null;
    readonly startedAt: number;
    firstSuccessMs: number | null;
  } | null = null;
  #isBalancerDown = false;
  #isDouble = false;

  /** A balancer was killed: until the cluster is settled again connections may end under a request. */
  get isBalancerDown(): boolean {
    return this.#isBalancerDown;
  }

  /** Two nodes died at once: one request can meet both deaths, and is answered 502 then (P21). */
  get isDouble(): boolean {
    return this.#isDouble;
  }

  /** `addresses`: the incarnations that the fault hits, null: everyone's way to the app. */
  begin(addresses: readonly string[] | null, startedAt: number): Outage {
    const open = { addresses: addresses && new Set(addresses), startedAt, firstSuccessMs: null };
    this.#open = open;
    this.#isDouble = (addresses?.length ?? 0) > 1;
    return open;
  }

  /** Everyone's connections may end under a request until `end`. */
  beginAtBalancer(startedAt: number): Outage {
    this.#isBalancerDown = true;
    return this.begin(null, startedAt);
  }

  end(): void {
    this.#open = null;
    this.#isBalancerDown = false;
    this.#isDouble = false;
  }

  /**
   * A request of a session whose last answer was by `before` has been served. What a dead process had answered before may
   * still arrive, so only an answer by another one, or to a request sent after the fault, tells that it is over.
   */
  served(before: string | null, by: string, invokedAt: number, at: number): void {
    const open = this.#open;
    if (open === null || open.firstSuccessMs !== null) return;
    const isConcerned = open.addresses === null || (before !== null && open.addresses.has(before));
    const isNew = invokedAt > open.startedAt || (open.addresses !== null && !open.addresses.has(by));
    if (isConcerned && isNew) open.firstSuccessMs = at - open.startedAt;
  }
}
