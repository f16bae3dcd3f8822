import { type Bounds, bounds } from '../bounds.ts';
import type { SessionId } from '../ids.ts';
import { Bucket } from './bucket.ts';
import { Queue } from './queue.ts';

/** P12: what may be under way to one member, and what waits for its turn. Counts and decides; sends nothing. */

/** What waits, first things first: a response is held for it; it has one copy and was used lately; the rest. */
export type Urgency = 'held' | 'recent' | 'rest';

/** Fresh writes and records that a response is held for: bytes not yet answered by the member. */
export const freshBytesMax = 8 * 1024 * 1024;
/**
 * The same for records that nobody waits for. A fresh write queues behind them on the link, so the bytes are those of
 * one read of a socket: it cannot make the write wait for more than that.
 */
export const bulkBytesMax = 64 * 1024;
/** Records that nobody waits for, per second and link. Higher: copies are complete sooner; lower: less of the cores is taken from requests meanwhile. */
export const bulkPerSecond = 2_000;
export const bulkBytesPerSecond = 16 * 1024 * 1024;
interface Sent {
  readonly version: number;
  readonly bytes: number;
  readonly isBulk: boolean;
}

/** Whose turn it is: an id, nobody's for now, or nobody's before some time has passed. */
export type Turn =
  | { readonly kind: 'id'; readonly id: SessionId; readonly isBulk: boolean }
  | { readonly kind: 'none' }
  | { readonly kind: 'later'; readonly afterMs: number };

const none: Turn = { kind: 'none' };

export class Lane {
  readonly #limits: Pick<Bounds, 'freshMax' | 'bulkMax'>;
  readonly #queues: { readonly [urgency in Urgency]: Queue<SessionId> } = {
    held: new Queue(),
    recent: new Queue(),
    rest: new Queue(),
  };
  /** The member has said that it lacks them: a digest would be of no use. */
  readonly #lacking = new Set<SessionId>();
  /** Sent and not answered, per session in order of version. */
  readonly #sent = new Map<SessionId, Sent[]>();
  #freshBytes = 0;
  #fresh = 0;
  #bulkBytes = 0;
  #bulk = 0;
  /** The window for bulk was full and has not been half empty since: answers open it for many at once, not for one each. */
  #isFull = false;
  readonly #records = new Bucket(bulkPerSecond);
  readonly #bytes = new Bucket(bulkBytesPerSecond);

  constructor(limits: Pick<Bounds, 'freshMax' | 'bulkMax'> = bounds) {
    this.#limits = limits;
  }

  /** A new view or a new connection: what was under way counts for nothing, and everything is looked at again. */
  reset(): void {
    for (const queue of Object.values(this.#queues)) queue.clear();
    this.#lacking.clear();
    this.#sent.clear();
    this.#freshBytes = 0;
    this.#fresh = 0;
    this.#bulkBytes = 0;
    this.#bulk = 0;
    this.#isFull = false;
  }

  /** Puts it in the queue, or further to the front of it; it is never put back. */
  want(id: SessionId, urgency: Urgency): void {
    const { held, recent, rest } = this.#queues;
    if (held.has(id) || (urgency !== 'held' && recent.has(id)) || (urgency === 'rest' && rest.has(id))) return;
    recent.delete(id);
    rest.delete(id);
    this.#queues[urgency].add(id);
  }

  isQueued(id: SessionId): boolean {
    const { held, recent, rest } = this.#queues;
    return held.has(id) || recent.has(id) || rest.has(id);
  }

  isUnderWay(id: SessionId): boolean {
    return this.#sent.has(id);
  }

  /** Whether this version is among what is under way. */
  hasSent(id: SessionId, version: number): boolean {
    return (this.#sent.get(id)?.at(-1)?.version ?? 0) >= version;
  }

  lacks(id: SessionId): boolean {
    return this.#lacking.has(id);
  }

  /** Whether a fresh write may be sent now. When not, the session is queued, and its record goes once there is room. */
  get hasRoom(): boolean {
    return this.#fresh < this.#limits.freshMax && this.#freshBytes < freshBytesMax;
  }

  /** Takes the next one from the queues, those that nobody waits for at `share` of their pace. Whatever is sent for it is told by `sent`. */
  turn(nowMs: number, share = 1): Turn {
    const { held, recent, rest } = this.#queues;
    if (held.size > 0 && this.hasRoom) return take(held, false);
    const queue = recent.size > 0 ? recent : rest;
    if (queue.size === 0 || !this.#hasBulkRoom()) return none;
    const afterMs = Math.max(this.#records.waitMs(nowMs, share), this.#bytes.waitMs(nowMs, share));
    return afterMs > 0 ? { kind: 'later', afterMs } : take(queue, true);
  }

  #hasBulkRoom(): boolean {
    const used = Math.max(this.#bulk / this.#limits.bulkMax, this.#bulkBytes / bulkBytesMax);
    if (used >= 1) this.#isFull = true;
    else if (used <= 0.5) this.#isFull = false;
    return !this.#isFull;
  }

  sent(id: SessionId, version: number, bytes: number, isBulk: boolean): void {
    const sent: Sent = { version, bytes, isBulk };
    const known = this.#sent.get(id);
    if (known === undefined) this.#sent.set(id, [sent]);
    else known.push(sent);
    this.#count(sent, 1);
    if (!isBulk) return;
    this.#records.take(1);
    this.#bytes.take(bytes);
  }

  /** The member holds this version. */
  acknowledged(id: SessionId, version: number): void {
    const known = this.#sent.get(id);
    if (known === undefined) return;
    while (known[0] !== undefined && known[0].version <= version) this.#count(known.shift() as Sent, -1);
    if (known.length > 0) return;
    this.#sent.delete(id);
    this.#lacking.delete(id);
  }

  /** The member could make nothing of what was sent: it needs the whole record. */
  missed(id: SessionId): void {
    this.forget(id);
    this.#lacking.add(id);
  }

  /** The session is not held here any more. */
  forget(id: SessionId): void {
    for (const sent of this.#sent.get(id) ?? []) this.#count(sent, -1);
    this.#sent.delete(id);
    this.#lacking.delete(id);
    for (const queue of Object.values(this.#queues)) queue.delete(id);
  }

  #count({ bytes, isBulk }: Sent, sign: 1 | -1): void {
    if (isBulk) {
      this.#bulk += sign;
      this.#bulkBytes += sign * bytes;
    } else {
      this.#fresh += sign;
      this.#freshBytes += sign * bytes;
    }
  }
}

function take(queue: Queue<SessionId>, isBulk: boolean): Turn {
  const id = queue.take();
  return id === undefined ? none : { kind: 'id', id, isBulk };
}
