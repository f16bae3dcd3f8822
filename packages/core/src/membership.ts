import type { NodeId } from './ids.ts';
import type { Death } from './messages.ts';
import { assert, unreachable } from './unreachable.ts';
import { compareViews, hasMember, type Member, type View, type ViewNumber } from './view.ts';

/** What the supervisor saw. */
export type MembershipEvent =
  /** The worker listens and both its sides (app loop and keeper) are connected. */
  | { readonly kind: 'ready'; readonly node: NodeId; readonly incarnation: number; readonly weight: number }
  /** Proven dead (P7). */
  | { readonly kind: 'died'; readonly death: Death }
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
  | { readonly kind: 'tick' };

export type MembershipEffect =
  /** Write to disk, then send to every process. */
  | { readonly kind: 'publish'; readonly view: View; readonly deaths: readonly Death[] }
  /** Every session has its copies in this view; `whole`: and every wanted node that was not given up is in the ring. */
  | { readonly kind: 'settled'; readonly view: ViewNumber; readonly whole: boolean };

export type Side = 'app' | 'keeper';

/** How long the first view waits for the other nodes once one is ready, in milliseconds. */
export const firstViewWaitMs = 5_000;

interface Candidate {
  readonly incarnation: number;
  readonly weight: number;
}

/**
 * Decides who is a member (P7, P9, P11). The only source of views; holds no socket, clock or disk.
 *
 * Invariants: views only go up; `next` is null or differs from `ring`; a node joins only by way of `next`, unless the
 * ring is empty and nobody holds a session.
 */
export class Membership {
  #view: View | null = null;
  readonly #options: MembershipOptions;
  /** Ready and outside the ring: joined one at a time, in order of arrival. */
  readonly #candidates = new Map<NodeId, Candidate>();
  readonly #givenUp = new Set<NodeId>();
  /** The sides that reported done for the current view, as `n1 app`. */
  readonly #done = new Set<string>();
  #settled = false;
  #firstReadyAt: number | null = null;

  constructor(options: MembershipOptions) {
    assert(options.wanted.length > 0, 'a cluster wants at least one node');
    this.#options = options;
  }

  /** The newest view published, null before the first. */
  get view(): View | null {
    return this.#view;
  }

  step(event: MembershipEvent, nowMs: number): readonly MembershipEffect[] {
    switch (event.kind) {
      case 'ready':
        this.#candidates.set(event.node, { incarnation: event.incarnation, weight: event.weight });
        this.#givenUp.delete(event.node);
        this.#firstReadyAt ??= nowMs;
        return this.#admit(nowMs);
      case 'died':
        return this.#remove(event.death, nowMs);
      case 'done':
        return this.#report(event);
      case 'givenUp':
        this.#givenUp.add(event.node);
        return [...this.#admit(nowMs), ...this.#settle()];
      case 'tick':
        return this.#admit(nowMs);
      default:
        return unreachable(event);
    }
  }

  /** Takes the next candidate in, when the view is stable. */
  #admit(nowMs: number): readonly MembershipEffect[] {
    const view = this.#view;
    if (this.#candidates.size === 0) return [];
    if (view === null || view.ring.length === 0) {
      return this.#mayStart(nowMs) ? [this.#publishFirst(view)] : [];
    }
    if (view.next !== null) return [];
    const first = this.#candidates.entries().next().value;
    assert(first !== undefined, 'a candidate was there');
    const [node, { incarnation, weight }] = first;
    this.#candidates.delete(node);
    return [
      this.#publish({
        ...view,
        next: sorted([...view.ring, node]),
        members: { ...view.members, [node]: { id: node, incarnation, weight } },
      }),
    ];
  }

  /** The first view waits for all that are wanted, but not for ever: the late ones join. */
  #mayStart(nowMs: number): boolean {
    const missing = this.#options.wanted.some((node) => !this.#candidates.has(node) && !this.#givenUp.has(node));
    return !missing || (this.#firstReadyAt !== null && nowMs - this.#firstReadyAt >= firstViewWaitMs);
  }

  /** Nobody holds a session yet (or any more): every candidate enters the ring at once, there is nothing to transfer. */
  #publishFirst(empty: View | null): MembershipEffect {
    const members: Record<string, Member> = {};
    for (const [id, candidate] of this.#candidates) members[id] = { id, ...candidate };
    const ring = sorted([...this.#candidates.keys()]);
    this.#candidates.clear();
    const { term, copies, keyId } = this.#options;
    const number = empty?.number ?? 0;
    return this.#publish({ term, number, ring, next: null, leaving: [], members, copies, keyId, hashVersion: 1 });
  }

  #remove(death: Death, nowMs: number): readonly MembershipEffect[] {
    const { node, incarnation } = death;
    if (this.#candidates.get(node)?.incarnation === incarnation) this.#candidates.delete(node);
    const view = this.#view;
    if (view === null || !hasMember(view, node, incarnation)) return [];
    const without = (ids: readonly NodeId[]) => ids.filter((id) => id !== node);
    const { [node]: _, ...members } = view.members;
    const rest = view.next === null ? null : without(view.next);
    let ring = without(view.ring);
    // The joiner is all that is left: it has what had been transferred so far, and nobody has more.
    if (ring.length === 0 && rest !== null && rest.length > 0) ring = rest;
    const next = rest === null || rest.length === 0 || sameSet(rest, ring) ? null : rest;
    if (ring.length === 0) this.#firstReadyAt = nowMs;
    const gone = this.#publish({ ...view, ring, next, leaving: without(view.leaving), members }, [death]);
    return [gone, ...this.#admit(nowMs)];
  }

  #report(event: MembershipEvent & { kind: 'done' }): readonly MembershipEffect[] {
    const view = this.#view;
    // A report of an older view, or of a former incarnation, says nothing about this one.
    if (view === null || compareViews(event.view, view) !== 0 || !hasMember(view, event.node, event.incarnation)) {
      return [];
    }
    this.#done.add(`${event.node} ${event.side}`);
    return this.#settle();
  }

  /** All ring members done: the joint view becomes stable, or the stable one is settled. */
  #settle(): readonly MembershipEffect[] {
    const view = this.#view;
    if (view === null || view.ring.length === 0) return [];
    if (!view.ring.every((id) => this.#done.has(`${id} app`) && this.#done.has(`${id} keeper`))) return [];
    if (view.next !== null) {
      const kept = Object.entries(view.members).filter(([id]) => view.next?.some((node) => node === id));
      return [this.#publish({ ...view, ring: view.next, next: null, members: Object.fromEntries(kept) })];
    }
    const whole = this.#options.wanted.every((node) => view.ring.includes(node) || this.#givenUp.has(node));
    if (this.#settled) return [];
    this.#settled = true;
    return [{ kind: 'settled', view, whole }];
  }

  #publish(content: View, deaths: readonly Death[] = []): MembershipEffect {
    const view: View = { ...content, number: content.number + 1 };
    assert(this.#view === null || compareViews(view, this.#view) > 0, 'views only go up');
    this.#view = view;
    this.#done.clear();
    this.#settled = false;
    return { kind: 'publish', view, deaths };
  }
}

export interface MembershipOptions {
  readonly term: number;
  /** Copies of each session, 1 to 3. */
  readonly copies: number;
  readonly keyId: number;
  /** The nodes that should be in the ring. */
  readonly wanted: readonly NodeId[];
}

const placeOf = (id: NodeId): number => Number(id.slice(1));
const sorted = (ids: readonly NodeId[]): readonly NodeId[] => [...ids].sort((a, b) => placeOf(a) - placeOf(b));
const sameSet = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((id) => b.includes(id));
