import { type Keyed, LimpetError, type RequestId, type SessionId } from '@limpet/core';
import type { Participant, RequestContext } from './context.ts';
import type { CommitInput, Engine, Held, Verdict } from './engine.ts';
import { createFacade, type FacadeOwner } from './facade.ts';
import { type Collected, Live, Touches } from './live.ts';
import type { Part } from './part.ts';
import type { ResponseCookie } from './session-cookie.ts';
import type { Session } from './types.ts';
import { combineVerdicts, type Pending, rejectUnsafe } from './verdict.ts';

/** What the request's session layer needs of the response it belongs to. */
export interface Surroundings {
  readonly isHeadSent: () => boolean;
  readonly makeCookie: () => ResponseCookie;
  /** Puts it where the app finds it; undefined after `destroy`. */
  readonly show: (session: Session | undefined) => void;
}

/** What the response head has to tell the client about its session id. */
export type Announcement =
  | { readonly kind: 'keep' }
  | { readonly kind: 'give'; readonly id: SessionId }
  | { readonly kind: 'take' };

const safe: Verdict = { kind: 'safe' };
const gone: Verdict = { kind: 'gone' };
const nothing: Collected = { change: { set: new Map(), remove: [] }, carries: [] };
let hasWarnedLate = false;

/** The session layer's part in one request: turns what the app does with `req.session` into commits (P16). */
export class RequestSession implements Omit<Participant, 'end'>, FacadeOwner {
  readonly #engine: Engine;
  readonly #request: RequestId;
  readonly #keyed: Keyed | null;
  readonly #presented: SessionId | null;
  readonly #surroundings: Surroundings;
  /** Every id the engine counts this request as running on. */
  readonly #opened = new Set<SessionId>();
  #part: Part;
  #cookie: ResponseCookie | null = null;
  /** `regenerate` has been called: this session ends in the write that makes the new one. */
  #bury: Held | null = null;
  /** `renew` has been called: the id under which the session goes on. */
  #renewing: SessionId | null = null;
  #destroying: Pending | null = null;
  #isDestroyed = false;
  #isHeadDecided = false;
  #isAnnounced = false;
  /** A commit point has been passed, or bytes of the answer were out before there was a session. */
  #hasReached: boolean;
  /** The log knows this request as committed. */
  #isLogged = false;
  #isFinished = false;
  #failure: Verdict | null = null;

  constructor(
    engine: Engine,
    { request, keyed }: Pick<RequestContext, 'request' | 'keyed'>,
    presented: SessionId | null,
    held: Held | null,
    surroundings: Surroundings,
  ) {
    this.#engine = engine;
    this.#request = request;
    this.#keyed = keyed;
    this.#presented = presented;
    this.#surroundings = surroundings;
    this.#hasReached = surroundings.isHeadSent();
    // What `open` was asked for counts as running here whether or not it led to a session.
    if (presented !== null) this.#opened.add(presented);
    this.#part = this.#newPart(null);
    if (held !== null) this.#enter(this.#part, held);
    surroundings.show(createFacade(this, this.#part));
  }

  held(): Held | null {
    return this.#part.held;
  }

  /** The session could not be loaded: whatever the app answers, the client learns that, or the node it has moved to serves it. */
  fail(error: unknown): void {
    const hasMoved = error instanceof LimpetError && error.code === 'LIMPET_MOVED';
    this.#failure = { kind: 'unloaded', why: hasMoved ? 'moved' : 'deadline' };
  }

  // What the app does with the attributes, by way of the facade.

  read(part: Part, name: string): unknown {
    return part.live?.get(part.touches, name);
  }

  has(part: Part, name: string): boolean {
    return part.live?.has(part.touches, name) ?? false;
  }

  list(part: Part): string[] {
    return part.live?.list(part.touches) ?? [];
  }

  write(part: Part, name: string, value: unknown): void {
    if (this.#isTooLate(part, name)) return;
    if (part.held === null && value === undefined) return;
    this.#liveFor(part).set(part.touches, name, value);
  }

  remove(part: Part, name: string): void {
    if (part.live === null || !part.live.has(part.touches, name) || this.#isTooLate(part, name)) return;
    part.live.delete(part.touches, name);
  }

  /** The id of what `req.session` is now. */
  get id(): SessionId {
    return this.#renewing ?? this.idOf(this.#part);
  }

  idOf(part: Part): SessionId {
    if (part === this.#part && this.#renewing !== null) return this.#renewing;
    if (part.held !== null) return part.held.id;
    part.id ??= this.#engine.mint(part.kin);
    return part.id;
  }

  get cookie(): ResponseCookie {
    this.#cookie ??= this.#surroundings.makeCookie();
    return this.#cookie;
  }

  /** The cookie if the app has looked at it, so that it may have changed it. */
  get usedCookie(): ResponseCookie | null {
    return this.#cookie;
  }

  // What the app does with the session as a whole.

  regenerate(): Promise<void> {
    this.#assertHeadNotSent('regenerated');
    this.#leavePart();
    this.#isDestroyed = false;
    this.#surroundings.show(createFacade(this, this.#part));
    return Promise.resolve();
  }

  renew(): Promise<void> {
    const { held, isDraft } = this.#part;
    if (held === null || isDraft) return Promise.resolve();
    this.#assertHeadNotSent('renewed');
    if (held.deleted) return Promise.reject(new LimpetError('LIMPET_SESSION_GONE', { attribute: 'id' }));
    this.#renewing ??= this.#engine.mint(held.id);
    return Promise.resolve();
  }

  destroy(): Promise<void> {
    this.#assertHeadNotSent('destroyed');
    this.#leavePart();
    const old = this.#bury;
    this.#bury = null;
    this.#isDestroyed = true;
    this.#surroundings.show(undefined);
    if (old === null) return Promise.resolve();
    this.#destroying = this.#endOf(old, null);
    return rejectUnsafe(this.#destroying);
  }

  save(): Promise<void> {
    let verdict: Pending;
    try {
      verdict = this.#failure ?? this.#commit(null, false) ?? this.#safe();
    } catch (error) {
      return Promise.reject(error);
    }
    return rejectUnsafe(verdict);
  }

  reload(): Promise<void> {
    const { held, live, touches } = this.#part;
    if (held?.deleted) return Promise.reject(new LimpetError('LIMPET_SESSION_GONE', { attribute: '*' }));
    live?.restore(touches);
    return Promise.resolve();
  }

  touch(): void {
    const { held, isDraft } = this.#part;
    if (held !== null && !isDraft && !held.deleted) this.#engine.touch(held);
  }

  // What the response does.

  /** Decides what the head about to be written tells the client. From here on no new id can be given. */
  announce(isRolling: boolean): Announcement {
    this.#isHeadDecided = true;
    const { held, live, isDraft } = this.#part;
    if (held === null || held.deleted || (isDraft && live?.isEmpty())) {
      const hasEnded = this.#bury !== null || this.#isDestroyed;
      return { kind: hasEnded ? 'take' : 'keep' };
    }
    this.#isAnnounced = true;
    const id = this.idOf(this.#part);
    return id !== this.#presented || isRolling ? { kind: 'give', id } : { kind: 'keep' };
  }

  /** Throws what a commit would, while the app can still answer with an error of its own. */
  assertCommittable(): void {
    const { held, live, touches } = this.#part;
    if (held !== null && live !== null && !held.deleted) live.assertCopyable(touches);
  }

  reach(answer: Uint8Array | null): Pending {
    this.#hasReached = true;
    try {
      return this.#reach(answer);
    } catch (error) {
      // Called from below the app, where nobody could catch it: say it, and let no success out.
      process.emitWarning(error instanceof Error ? error : String(error));
      return { kind: 'unknown', why: 'handed-over' };
    }
  }

  #reach(answer: Uint8Array | null): Pending {
    if (this.#failure !== null) return this.#failure;
    const { touches } = this.#part;
    const made = this.#commit(answer, false);
    const hasTouched = touches.isFresh || touches.holds.size > 0;
    touches.isFresh = false;
    if (made !== null) return this.#destroying === null ? made : combineVerdicts(this.#destroying, made);
    if (this.#destroying !== null) return this.#destroying;
    return hasTouched ? this.#safe() : safe;
  }

  delivered(): void {
    const { held, isDraft } = this.#part;
    if (held !== null && !isDraft && this.#isLogged) this.#engine.delivered(held, this.#request);
  }

  /** Commits what is left and leaves. A head that never went out takes the id it would have given with it. */
  end(): void {
    if (this.#isFinished) return;
    this.commitRest();
    this.#isFinished = true;
    this.#part.live?.leave(this.#part.touches);
    for (const id of this.#opened) this.#engine.close(id, this.#request);
    this.#opened.clear();
  }

  /**
   * The app ends its answer. What a stream has changed since its last write may have no write behind it any more, so it is
   * committed here. An answer of which nothing has been written yet commits when it is, as one version with its answer:
   * a node that died between two would leave a request of which only the effect is known.
   */
  commitLast(): void {
    if (this.#hasReached) this.commitRest();
  }

  /** Commits what is left while the app may still be at work, for a client that has gone away. */
  commitRest(): void {
    if (this.#isFinished || this.#failure !== null) return;
    try {
      const verdict = this.#commit(null, true);
      // Nobody waits for it any more: the response is over.
      if (verdict instanceof Promise) verdict.catch(() => {});
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  #newPart(kin: SessionId | null): Part {
    const touches = new Touches(this.#request, this.#keyed);
    return { touches, held: null, live: null, id: null, kin, isDraft: false, isOver: false };
  }

  #enter(part: Part, held: Held): void {
    part.held = held;
    part.live = Live.of(held);
    part.live.join(part.touches);
    this.#opened.add(held.id);
  }

  /** `req.session` is over and another, empty one begins. A session that was committed is to be buried. */
  #leavePart(): void {
    const former = this.#part;
    former.isOver = true;
    former.live?.leave(former.touches);
    if (former.held !== null && !former.isDraft) this.#bury = former.held;
    this.#renewing = null;
    this.#part = this.#newPart(former.held?.id ?? former.kin);
  }

  #liveFor(part: Part): Live {
    if ((part.held === null || part.isDraft) && this.#surroundings.isHeadSent() && !this.#isAnnounced)
      throw new LimpetError('LIMPET_HEAD_SENT', { action: 'created' });
    if (part.held === null) {
      this.#enter(part, this.#engine.create(this.idOf(part), this.#request));
      part.isDraft = true;
    }
    return part.live ?? Live.of(part.held as Held);
  }

  #isTooLate(part: Part, name: string): boolean {
    if (part.isOver || part.held?.deleted) {
      part.touches.hasWritten = true;
      throw new LimpetError('LIMPET_SESSION_GONE', { attribute: name });
    }
    if (this.#isFinished && !hasWarnedLate) {
      hasWarnedLate = true;
      process.emitWarning(
        `session attribute "${name}" was changed after the response had ended: the change is lost; change it before`,
        { code: 'LIMPET_LATE_CHANGE' },
      );
    }
    return this.#isFinished;
  }

  #assertHeadNotSent(action: string): void {
    if (this.#surroundings.isHeadSent()) throw new LimpetError('LIMPET_HEAD_SENT', { action });
  }

  #safe(): Pending {
    const { held, isDraft } = this.#part;
    return held === null || isDraft ? safe : this.#engine.safe(held, this.#request);
  }

  /** One version out of what this request has touched and differs; null when there is nothing to commit. */
  #commit(answer: Uint8Array | null, isEnd: boolean): Pending | null {
    const { held, live, isDraft, touches } = this.#part;
    const isUntold = isEnd && !this.#isHeadDecided;
    if (held === null || live === null) return isUntold ? null : this.#buryAlone(answer);
    if (isDraft) return isUntold ? null : this.#commitDraft(held, live, answer);
    if (held.deleted) {
      const isRefused = touches.hasWritten || live.hasUnpublished(touches) || this.#renewing !== null;
      return isRefused ? this.#onceSafe(held, gone) : null;
    }
    if (this.#renewing !== null && !isUntold) return this.#commitRenewal(held, live, this.#renewing, answer);
    const collected = live.collect(touches);
    const { set, remove } = collected.change;
    if (set.size === 0 && remove.length === 0) {
      // A key is known before a byte of its answer is out: whoever repeats it later must not make it run again.
      const isFirst = this.#keyed !== null && !this.#isLogged;
      const belongsInLog = touches.hasWritten || touches.isCarried || this.#isLogged;
      if (!isFirst && (!belongsInLog || (answer === null && (!isEnd || this.#isLogged)))) return null;
    }
    return this.#make(held, { ...collected, destroy: false, answer, bury: null }, () => live.published(collected));
  }

  #commitDraft(held: Held, live: Live, answer: Uint8Array | null): Pending | null {
    if (live.isEmpty() && !this.#isAnnounced) return this.#buryAlone(answer);
    const collected = live.collectAll(this.#part.touches);
    const bury = this.#bury?.id ?? null;
    return this.#make(held, { ...collected, destroy: false, answer, bury }, () => {
      live.published(collected);
      this.#part.isDraft = false;
      this.#bury = null;
    });
  }

  /** Regenerated and left empty: the old session ends, and no new one begins. */
  #buryAlone(answer: Uint8Array | null): Pending | null {
    const old = this.#bury;
    this.#bury = null;
    if (old === null) return null;
    this.#isDestroyed = true;
    this.#destroying = this.#endOf(old, answer);
    return this.#destroying;
  }

  /** The tombstone: this request's own, or one that another has made and that must be safe before this one's answer says so (P13). */
  #endOf(old: Held, answer: Uint8Array | null): Pending {
    if (old.deleted) return this.#engine.safe(old, this.#request);
    return this.#make(old, { ...nothing, destroy: true, answer, bury: null });
  }

  #commitRenewal(held: Held, live: Live, id: SessionId, answer: Uint8Array | null): Pending {
    const collected = live.collectAll(this.#part.touches);
    const next = this.#engine.create(id, this.#request);
    this.#opened.add(id);
    return this.#make(next, { ...collected, destroy: false, answer, bury: held.id }, () => {
      live.published(collected);
      live.leave(this.#part.touches);
      this.#enter(this.#part, next);
      this.#part.live?.adopt(live);
      this.#renewing = null;
    });
  }

  #make(held: Held, made: Omit<CommitInput, 'keyed'>, onMade?: () => void): Pending {
    const verdict = this.#engine.commit(held, this.#request, { ...made, keyed: this.#keyed });
    // Any word at once but `safe` says that the record is as it was: what the live values have beyond it is still unpublished.
    const isRefused = !(verdict instanceof Promise) && verdict.kind !== 'safe';
    if (!isRefused) {
      this.#isLogged = true;
      onMade?.();
    }
    return isRefused && verdict.kind !== 'unknown' ? this.#onceSafe(held, verdict) : verdict;
  }

  /** A refusal shows what another request has committed, and that must not be undone afterwards any more (P4). */
  #onceSafe(held: Held, refusal: Verdict): Pending {
    return combineVerdicts(this.#engine.safe(held, this.#request), refusal);
  }
}
