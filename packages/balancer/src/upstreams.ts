import { formatAddress, type Member, type View } from '@limpet/core';
import { socketPath } from '@limpet/transport';
import { Pool } from 'undici';
import {
  answerHeadBytesMax,
  answerTimeoutMs,
  connectionsMax,
  connectTimeoutMs,
  queueMax,
  removedMs,
  upstreamIdleMs,
} from './limits.ts';

/** The connections to one incarnation of a node. Never shared with the next incarnation of the same name (P7). */
export class Upstream {
  readonly member: Member;
  readonly address: string;
  readonly path: string;
  #pool: Pool;
  /** The one before the member began to leave: it finishes what runs. */
  #former: Pool | null = null;
  /** Requests and tunnels that this balancer has there. */
  inFlight = 0;
  /** The count at the moment the death became known: who was alone there (P21). */
  inFlightAtDeath: number | null = null;
  /** When the supervisor was last told of a broken connection, on the monotonic clock. */
  resetToldAt = Number.NEGATIVE_INFINITY;

  readonly #whenRemoved = new Set<() => void>();

  constructor(member: Member, folder: string) {
    this.member = member;
    this.address = formatAddress(member);
    this.path = socketPath(folder, `${this.address}.http`);
    this.#pool = createPool(this.path);
  }

  get pool(): Pool {
    return this.#pool;
  }

  /**
   * The member leaves (P11): idle connections are closed here, as always, before the worker ends, so that no request
   * meets the closing. A straggler, or the member itself when it stays after all, gets a connection anew.
   */
  retire(): void {
    if (this.#former !== null) return;
    this.#former = this.#pool;
    this.#pool = createPool(this.path);
    this.#former.close().catch(() => {});
  }

  /** It is a member like any other again. */
  restore(): void {
    this.#former = null;
  }

  close(): void {
    for (const pool of this.#pools) pool.close().catch(() => {});
  }

  destroy(): Promise<unknown> {
    return Promise.allSettled(this.#pools.map((pool) => pool.destroy()));
  }

  get #pools(): readonly Pool[] {
    return this.#former === null ? [this.#pool] : [this.#pool, this.#former];
  }

  /** Calls back once the member is no longer listed. Returns what takes the wish back. */
  whenRemoved(told: () => void): () => void {
    this.#whenRemoved.add(told);
    return () => this.#whenRemoved.delete(told);
  }

  removed(): void {
    for (const told of this.#whenRemoved) told();
    this.#whenRemoved.clear();
  }

  get isFull(): boolean {
    return this.inFlight >= connectionsMax + queueMax;
  }
}

const createPool = (path: string): Pool =>
  new Pool('http://worker', {
    connections: connectionsMax,
    pipelining: 1,
    strictContentLength: true,
    connect: { socketPath: path, timeout: connectTimeoutMs },
    headersTimeout: answerTimeoutMs,
    // An event stream may be silent for hours.
    bodyTimeout: 0,
    keepAliveTimeout: upstreamIdleMs,
    maxHeaderSize: answerHeadBytesMax,
  });

/** Every upstream that a view lists, and those just removed until their last exchanges are over. */
export class Upstreams {
  readonly #folder: string;
  readonly #byAddress = new Map<string, Upstream>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The upstream of this member, made at first use. */
  get(member: Member): Upstream {
    const address = formatAddress(member);
    let upstream = this.#byAddress.get(address);
    if (upstream === undefined) {
      upstream = new Upstream(member, this.#folder);
      this.#byAddress.set(address, upstream);
    }
    return upstream;
  }

  inFlight(member: Member): number {
    return this.#byAddress.get(formatAddress(member))?.inFlight ?? 0;
  }

  get inFlightTotal(): number {
    let total = 0;
    for (const upstream of this.#byAddress.values()) total += upstream.inFlight;
    return total;
  }

  /**
   * Gives up the connections to members that are no longer listed. Not at once: what the kernel has accepted from a
   * killed worker is still in the socket, and a complete answer is relayed whatever happened to its worker (P20).
   */
  keepOnly(view: View): void {
    for (const [address, upstream] of this.#byAddress) {
      const listed = view.members[upstream.member.id];
      if (listed !== undefined && formatAddress(listed) === address) {
        if (view.leaving.includes(listed.id)) upstream.retire();
        else upstream.restore();
        continue;
      }
      upstream.inFlightAtDeath = upstream.inFlight;
      this.#byAddress.delete(address);
      upstream.removed();
      upstream.close();
      setTimeout(() => void upstream.destroy(), removedMs).unref();
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#byAddress.values()].map((upstream) => upstream.destroy()));
  }
}
