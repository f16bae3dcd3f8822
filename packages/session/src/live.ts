import type { Carried, Change, Encoded, Keyed, RequestId } from '@limpet/core';
import { assertCopyable, decode, encodeChecked, isSameEncoding, settle } from './codec.ts';
import type { Held } from './engine.ts';

/** What one request has done to one session's attributes (P16). */
export class Touches {
  readonly request: RequestId;
  readonly keyed: Keyed | null;
  /** Read, written, deleted or listed: what a commit of this request may contain. */
  readonly seen = new Set<string>();
  /** Written or deleted, and in no commit yet. */
  readonly wrote = new Set<string>();
  /** The request has a reference to the object in it and may change it at any time, unnoticed. */
  readonly holds = new Set<string>();
  hasWritten = false;
  /** Another request's commit has published what may be this one's unfinished changes. */
  isCarried = false;
  /** Something was touched since the last commit point. */
  isFresh = false;

  constructor(request: RequestId, keyed: Keyed | null) {
    this.request = request;
    this.keyed = keyed;
  }

  note(name: string): void {
    this.seen.add(name);
    this.isFresh = true;
  }

  noteWrite(name: string): void {
    this.note(name);
    this.wrote.add(name);
    this.hasWritten = true;
  }
}

/** What a commit of one request contains. */
export interface Collected {
  readonly change: Change;
  readonly carries: readonly Carried[];
}

interface Slot {
  value: unknown;
  /** False: deleted, and the deletion is in no commit yet. */
  isPresent: boolean;
  /** The committed bytes that `value` was decoded from or last published as; undefined while it never was. */
  base: Encoded | undefined;
  /** What `value` itself encodes to as long as nobody changes it; not always `base`, which is settled. */
  own: Encoded | undefined;
  /** The same for what was collected last and may be published in this same step. */
  candidate: Encoded | undefined;
  /** Assigned or deleted since then. */
  isDirty: boolean;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/**
 * The decoded values of one session, shared by the requests running on it: each sees the others' changes at once, and
 * none is shown before a commit holds it (P16). Kept in `held.live` only while a request runs, so that an idle session
 * costs its bytes alone.
 */
export class Live {
  readonly #held: Held;
  readonly #slots = new Map<string, Slot>();
  readonly #running = new Map<RequestId, Touches>();

  private constructor(held: Held) {
    this.#held = held;
  }

  /** The one live record of `held`. */
  static of(held: Held): Live {
    if (held.live instanceof Live) return held.live;
    const live = new Live(held);
    held.live = live;
    return live;
  }

  join(touches: Touches): void {
    this.#running.set(touches.request, touches);
  }

  leave(touches: Touches): void {
    if (this.#running.get(touches.request) === touches) this.#running.delete(touches.request);
    if (this.#running.size === 0 && this.#held.live === this) this.#held.live = null;
  }

  get(touches: Touches, name: string): unknown {
    touches.note(name);
    const slot = this.#current(name);
    if (slot === undefined || !slot.isPresent) return undefined;
    if (isObject(slot.value)) touches.holds.add(name);
    return slot.value;
  }

  has(touches: Touches, name: string): boolean {
    touches.note(name);
    return this.#current(name)?.isPresent ?? false;
  }

  set(touches: Touches, name: string, value: unknown): void {
    touches.noteWrite(name);
    if (isObject(value)) touches.holds.add(name);
    const slot = this.#current(name);
    if (slot === undefined)
      this.#slots.set(name, {
        value,
        isPresent: true,
        base: undefined,
        own: undefined,
        candidate: undefined,
        isDirty: true,
      });
    else Object.assign(slot, { value, isPresent: true, isDirty: true });
  }

  delete(touches: Touches, name: string): void {
    const slot = this.#current(name);
    if (!slot?.isPresent) {
      touches.note(name);
      return;
    }
    touches.noteWrite(name);
    Object.assign(slot, { value: undefined, isPresent: false, isDirty: true });
  }

  /** The names there are. Listing touches all of them, and those whose absence is not committed yet. */
  list(touches: Touches): string[] {
    const names = this.#allNames();
    for (const name of names) touches.note(name);
    touches.isFresh = true;
    return names.filter((name) => this.#slots.get(name)?.isPresent ?? true);
  }

  /** Whether nothing is in it; an attribute holding undefined is nothing. */
  isEmpty(): boolean {
    for (const name of this.#allNames()) {
      const slot = this.#slots.get(name);
      if (slot === undefined || (slot.isPresent && slot.value !== undefined)) return false;
    }
    return true;
  }

  /** What this request's commit has to contain: what it touched and differs, whoever changed it (P16). */
  collect(touches: Touches): Collected {
    const set = new Map<string, Encoded>();
    const remove: string[] = [];
    for (const name of touches.seen) this.#compare(name, set, remove);
    return { change: { set, remove }, carries: this.#unfinished(touches, [...set.keys(), ...remove]) };
  }

  /** Every attribute, for a session that goes on under a new id. */
  collectAll(touches: Touches): Collected {
    const set = new Map<string, Encoded>();
    for (const name of this.list(touches)) {
      const slot = this.#slots.get(name);
      const committed = this.#held.attributes.get(name);
      if (slot === undefined && committed !== undefined) set.set(name, committed);
      else if (slot !== undefined)
        set.set(name, this.#changed(name, slot) ?? slot.base ?? settle(encodeChecked(name, slot.value)));
    }
    return { change: { set, remove: [] }, carries: this.#unfinished(touches, [...set.keys()]) };
  }

  /** The engine has made a version out of what was collected: the live values are the committed ones now. */
  published(collected: Collected): void {
    for (const [name, bytes] of collected.change.set) {
      const slot = this.#slots.get(name);
      if (slot === undefined) continue;
      slot.base = bytes;
      slot.own = slot.candidate ?? bytes;
      slot.isDirty = false;
    }
    for (const name of collected.change.remove) this.#slots.delete(name);
    for (const other of this.#running.values()) {
      for (const name of collected.change.set.keys()) other.wrote.delete(name);
      for (const name of collected.change.remove) other.wrote.delete(name);
    }
    for (const { request } of collected.carries) {
      const other = this.#running.get(request);
      if (other !== undefined) other.isCarried = true;
    }
  }

  /**
   * Takes over the values of the session that this one continues under a new id. The objects stay the same, except those
   * that another request on the former id may still change: its changes are refused, and must not come in by a reference.
   */
  adopt(former: Live): void {
    const others = [...former.#running.values()];
    for (const [name, slot] of former.#slots) {
      if (slot.isPresent && !others.some(({ holds }) => holds.has(name))) this.#slots.set(name, { ...slot });
    }
  }

  /**
   * Throws LIMPET_NOT_COPYABLE when an object this request can change has become uncopyable in place; it is dropped. Only
   * looks: the commit that follows encodes, and refuses the little that only the serialiser sees.
   */
  assertCopyable(touches: Touches): void {
    for (const name of touches.holds) {
      const slot = this.#slots.get(name);
      if (!slot?.isPresent) continue;
      try {
        assertCopyable(name, slot.value);
      } catch (error) {
        this.#slots.delete(name);
        throw error;
      }
    }
  }

  /** Whether an object this request can change differs from what was last committed of it. */
  hasUnpublished(touches: Touches): boolean {
    for (const name of touches.holds) {
      const slot = this.#slots.get(name);
      if (slot?.isPresent && isObject(slot.value) && this.#changed(name, slot) !== null) return true;
    }
    return false;
  }

  /** Puts back to the committed value what only this request has used. */
  restore(touches: Touches): void {
    for (const name of new Set([...touches.wrote, ...touches.holds])) {
      if (this.#isUsedByAnother(touches, name)) continue;
      this.#slots.delete(name);
      touches.wrote.delete(name);
      touches.holds.delete(name);
    }
  }

  #allNames(): string[] {
    const names = [...this.#held.attributes.keys()];
    for (const name of this.#slots.keys()) if (!this.#held.attributes.has(name)) names.push(name);
    return names;
  }

  #current(name: string): Slot | undefined {
    const committed = this.#held.attributes.get(name);
    const slot = this.#slots.get(name);
    if (slot !== undefined && (slot.base === committed || this.#held.deleted || this.#isOurs(name, slot, committed)))
      return slot;
    if (committed === undefined) {
      this.#slots.delete(name);
      return undefined;
    }
    const fresh: Slot = {
      value: decode(committed),
      isPresent: true,
      base: committed,
      own: committed,
      candidate: undefined,
      isDirty: false,
    };
    this.#slots.set(name, fresh);
    return fresh;
  }

  /** The committed value has changed from elsewhere (a forwarded commit, P10): an unpublished change here outlives it. */
  #isOurs(name: string, slot: Slot, committed: Encoded | undefined): boolean {
    if (committed !== undefined && slot.base !== undefined && isSameEncoding(slot.base, committed)) {
      slot.base = committed;
      return true;
    }
    const isUnpublished = slot.isDirty || (isObject(slot.value) && this.#changed(name, slot) !== null);
    if (isUnpublished) Object.assign(slot, { base: committed, own: undefined, isDirty: true });
    return isUnpublished;
  }

  #compare(name: string, set: Map<string, Encoded>, remove: string[]): void {
    const slot = this.#current(name);
    if (slot === undefined) return;
    const committed = this.#held.attributes.get(name);
    if (!slot.isPresent) {
      if (committed === undefined) this.#slots.delete(name);
      else remove.push(name);
      return;
    }
    if (!slot.isDirty && !isObject(slot.value)) return;
    const bytes = this.#changed(name, slot);
    if (bytes !== null) set.set(name, bytes);
  }

  /**
   * The settled bytes of the value when they differ from `base`, else null. Throws what cannot be copied; a value that
   * became so in place is dropped for the committed one, so that one mistake is reported once.
   */
  #changed(name: string, slot: Slot): Encoded | null {
    try {
      const own = encodeChecked(name, slot.value);
      if (slot.own !== undefined && isSameEncoding(own, slot.own)) {
        slot.isDirty = false;
        return null;
      }
      assertCopyable(name, slot.value);
      const bytes = settle(own);
      slot.candidate = own;
      if (slot.base === undefined || !isSameEncoding(bytes, slot.base)) return bytes;
      slot.own = own;
      slot.isDirty = false;
      return null;
    } catch (error) {
      this.#slots.delete(name);
      throw error;
    }
  }

  #unfinished(touches: Touches, names: readonly string[]): Carried[] {
    const found: Carried[] = [];
    for (const other of this.#running.values()) {
      if (other.request === touches.request) continue;
      if (names.some((name) => other.wrote.has(name) || other.holds.has(name)))
        found.push({ request: other.request, keyed: other.keyed });
    }
    return found;
  }

  #isUsedByAnother(touches: Touches, name: string): boolean {
    for (const other of this.#running.values()) {
      if (other !== touches && other.seen.has(name)) return true;
    }
    return false;
  }
}
