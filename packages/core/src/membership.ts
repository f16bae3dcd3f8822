import type { NodeId } from './ids.ts';
import { departing, draining, joining, sorted, switched, withoutMember } from './membership/content.ts';
import type { MembershipEffect, MembershipEvent, MembershipOptions } from './membership/events.ts';
import { decideMove } from './membership/moves.ts';
import type { Death } from './messages.ts';
import { assert, unreachable } from './unreachable.ts';
import { compareViews, formatAddress, hasMember, type Member, type View } from './view.ts';

export type { MembershipEffect, MembershipEvent, MembershipOptions, Side } from './membership/events.ts';
export { rejoinWaitMs } from './membership/moves.ts';

/** How long the first view waits for the other nodes once one is ready, in milliseconds. */
export const firstViewWaitMs = 5_000;

type Candidate = Omit<Member, 'id'>;

/**
 * Decides who is a member (P7, P9, P11). The only source of views; holds no socket, clock or disk.
 *
 * Invariants: views only go up; `next` is null or differs from `ring`; a node joins only by way of `next`, unless the
 * ring is empty; a node leaves the ring by decision only by way of `next`, and never as the
 * last; a member is `drained` only when it holds nothing that anyone could need.
 */
export class Membership {
  readonly #options: MembershipOptions;
  #view: View | null;
  #awaitsAdoption: boolean;
  #wanted: readonly NodeId[];
  /** Nodes that the operator wants out of the ring. What is observed of them stands elsewhere: two facts, never one. */
  readonly #out = new Set<NodeId>();
  /** Ring members that should leave it, in the order in which they will, each with the time since when. */
  readonly #leavers = new Map<NodeId, number>();
  /** Ready and outside the ring: joined one at a time, in order of arrival. */
  readonly #candidates = new Map<NodeId, Candidate>();
  readonly #givenUp = new Set<NodeId>();
  /** Nodes that have been in a ring. */
  readonly #known = new Set<NodeId>();
  /** The sides that reported done for the current view, as `n1 app`. */
  readonly #done = new Set<string>();
  /** Addresses that were declared drained. */
  readonly #drained = new Set<string>();
  /** Addresses of members that a former supervisor let go, and may have told to end. */
  readonly #ending = new Set<string>();
  #settled = false;
  #whole = false;
  #firstReadyAt: number | null = null;
  #lastMove: 'join' | 'drain' | null = null;

  constructor(options: MembershipOptions) {
    assert(options.wanted.length > 0, 'a cluster wants at least one node');
    this.#options = options;
    this.#wanted = options.wanted;
    this.#view = options.adopt;
    this.#awaitsAdoption = options.adopt !== null;
    const { adopt } = options;
    if (adopt === null) return;
    for (const id of adopt.ring) this.#known.add(id);
    // What is under way goes on, until the operator's wishes are told.
    for (const id of [...departing(adopt), ...adopt.leaving]) this.#out.add(id);
    for (const id of adopt.leaving) {
      const member = adopt.members[id];
      if (member !== undefined) this.#ending.add(formatAddress(member));
    }
  }

  /** The newest view published, or adopted; null before the first. */
  get view(): View | null {
    return this.#view;
  }

  step(event: MembershipEvent, nowMs: number): readonly MembershipEffect[] {
    switch (event.kind) {
      case 'adopted':
        return [...this.#adopt(event.dead, nowMs), ...this.#move(nowMs)];
      case 'ready':
        return this.#takeReady(event, nowMs);
      case 'start':
        return this.#start(event, nowMs);
      case 'died':
        return this.#bury(event.death, nowMs);
      case 'left':
        return this.#part(event.node, event.incarnation, nowMs);
      case 'done':
        return this.#report(event);
      case 'givenUp':
        this.#givenUp.add(event.node);
        return [...this.#move(nowMs), ...this.#settle()];
      case 'drain':
        return this.#drain(event.node, nowMs);
      case 'undrain':
        this.#out.delete(event.node);
        return this.#wish(nowMs);
      case 'want':
        assert(event.nodes.length > 0, 'a cluster wants at least one node');
        this.#wanted = event.nodes;
        return this.#wish(nowMs);
      case 'tick':
        return this.#move(nowMs);
      default:
        return unreachable(event);
    }
  }

  #start({ nodes }: MembershipEvent & { kind: 'start' }, nowMs: number): readonly MembershipEffect[] {
    for (const { node, incarnation, weight } of nodes) this.#candidates.set(node, { incarnation, weight });
    const effects = this.#replan(nowMs);
    const starts = this.#view === null && this.#candidates.size > 0;
    return [...effects, ...(starts ? [this.#publishFirst(null)] : this.#move(nowMs))];
  }

  /** The first view of this term: what the former supervisor left, without those that died meanwhile. */
  #adopt(dead: readonly Death[], nowMs: number): readonly MembershipEffect[] {
    const adopted = this.#view;
    assert(adopted !== null && this.#awaitsAdoption, 'a view is adopted once');
    assert(this.#options.term > adopted.term, 'a new supervisor has a new term');
    this.#awaitsAdoption = false;
    const deaths = dead.filter(({ node, incarnation }) => hasMember(adopted, node, incarnation));
    const rest = deaths.reduce((view, { node }) => withoutMember(view, node), adopted);
    if (rest.ring.length === 0) this.#firstReadyAt = nowMs;
    return [this.#publish(rest, deaths), ...this.#replan(nowMs)];
  }

  #takeReady(event: MembershipEvent & { kind: 'ready' }, nowMs: number): readonly MembershipEffect[] {
    const { node, incarnation, weight } = event;
    this.#givenUp.delete(node);
    // It came up while the operator changed his mind.
    if (!this.#isWanted(node)) return [{ kind: 'drained', node, incarnation }];
    this.#candidates.set(node, { incarnation, weight });
    this.#firstReadyAt ??= nowMs;
    return this.#move(nowMs);
  }

  #isWanted(node: NodeId): boolean {
    return this.#wanted.includes(node) && !this.#out.has(node);
  }

  #drain(node: NodeId, nowMs: number): readonly MembershipEffect[] {
    const ring = this.#view?.next ?? this.#view?.ring ?? [];
    const serving = ring.length > 0 ? ring : this.#wanted;
    const others = serving.filter((id) => id !== node && this.#isWanted(id));
    if (serving.includes(node) && others.length === 0) {
      // Also one that a former supervisor was about to let go: it is wanted after all.
      const isKnown = this.#out.delete(node);
      return [{ kind: 'refused', node, why: 'last' }, ...(isKnown ? this.#wish(nowMs) : [])];
    }
    this.#out.add(node);
    return this.#wish(nowMs);
  }

  /** The operator wants something else. */
  #wish(nowMs: number): readonly MembershipEffect[] {
    return [...this.#replan(nowMs), ...this.#move(nowMs), ...this.#settle()];
  }

  /** After the operator, or a view, has changed who should leave: queues, and takes back what nobody wants any more. */
  #replan(nowMs: number): readonly MembershipEffect[] {
    const effects: MembershipEffect[] = [];
    for (const [node, { incarnation }] of this.#candidates) {
      if (this.#isWanted(node)) continue;
      this.#candidates.delete(node);
      // One that was leaving is declared drained when it is.
      if (this.#view?.members[node] === undefined) effects.push({ kind: 'drained', node, incarnation });
    }
    const view = this.#view;
    if (view === null || this.#awaitsAdoption) return effects;
    this.#queueLeavers(view, nowMs);
    if (departing(view).some((id) => this.#isWanted(id))) effects.push(this.#publish({ ...view, next: null }));
    for (const id of view.leaving) this.#takeBack(view, id);
    return effects;
  }

  #queueLeavers(view: View, nowMs: number): void {
    for (const node of this.#leavers.keys()) {
      if (this.#isWanted(node) || !view.ring.includes(node)) this.#leavers.delete(node);
    }
    // Of several that came to be unwanted together, the last goes first.
    for (const node of [...view.ring].reverse()) {
      if (!this.#isWanted(node) && !this.#leavers.has(node)) this.#leavers.set(node, nowMs);
    }
  }

  /** A leaving member that is wanted again, and was not told to end, joins as it is. */
  #takeBack(view: View, id: NodeId): void {
    const member = view.members[id];
    if (member === undefined || !this.#isWanted(id)) return;
    const address = formatAddress(member);
    if (this.#drained.has(address) || this.#ending.has(address)) return;
    this.#candidates.set(id, { incarnation: member.incarnation, weight: member.weight });
  }

  /** Begins the next join or drain, when the view is stable. */
  #move(nowMs: number): readonly MembershipEffect[] {
    const view = this.#view;
    if (this.#awaitsAdoption) return [];
    if (view === null || view.ring.length === 0) {
      return this.#candidates.size > 0 && this.#mayStart(nowMs) ? [this.#publishFirst(view)] : [];
    }
    if (view.next !== null) return [];
    this.#queueLeavers(view, nowMs);
    const move = decideMove({
      joiners: [...this.#candidates.keys()].map((node) => ({ node, returning: this.#known.has(node) })),
      leaver: view.ring.length > 1 ? this.#firstLeaver() : null,
      settled: this.#settled,
      leaving: view.leaving.some((id) => !this.#candidates.has(id)),
      missing: this.#wanted.some((node) => this.#known.has(node) && this.#isMissing(view, node)),
      last: this.#lastMove,
      nowMs,
    });
    if (move.kind === 'wait') return [];
    this.#lastMove = move.kind;
    return [this.#publish(move.kind === 'drain' ? draining(view, move.node) : this.#joining(view, move.node))];
  }

  #firstLeaver(): { readonly node: NodeId; readonly sinceMs: number } | null {
    for (const [node, sinceMs] of this.#leavers) return { node, sinceMs };
    return null;
  }

  #isMissing({ ring }: View, node: NodeId): boolean {
    return this.#isWanted(node) && !ring.includes(node) && !this.#givenUp.has(node) && !this.#candidates.has(node);
  }

  #joining(view: View, id: NodeId): View {
    const candidate = this.#candidates.get(id);
    assert(candidate !== undefined, 'who joins is a candidate');
    this.#candidates.delete(id);
    return joining(view, { id, ...candidate });
  }

  /** The first view waits for all that are wanted, but not for ever: the late ones join. */
  #mayStart(nowMs: number): boolean {
    const awaited = (node: NodeId) => this.#isWanted(node) && !this.#candidates.has(node) && !this.#givenUp.has(node);
    return (
      !this.#wanted.some(awaited) || (this.#firstReadyAt !== null && nowMs - this.#firstReadyAt >= firstViewWaitMs)
    );
  }

  /**
   * No ring yet (or any more): every candidate enters it at once, nobody in it could transfer anything. Members that were
   * leaving when the ring died stay: what they had not handed over exists nowhere else.
   */
  #publishFirst(empty: View | null): MembershipEffect {
    const members: Record<string, Member> = { ...empty?.members };
    const leaving = (empty?.leaving ?? []).filter((id) => !this.#candidates.has(id));
    for (const [id, candidate] of this.#candidates) members[id] = { id, ...candidate };
    const ring = sorted([...this.#candidates.keys()]);
    this.#candidates.clear();
    const { copies, keyId } = this.#options;
    const number = empty?.number ?? 0;
    return this.#publish({ term: 0, number, ring, next: null, leaving, members, copies, keyId, hashVersion: 1 });
  }

  #bury(death: Death, nowMs: number): readonly MembershipEffect[] {
    const { node, incarnation } = death;
    if (this.#candidates.get(node)?.incarnation === incarnation) this.#candidates.delete(node);
    return this.#remove(node, incarnation, [death], nowMs);
  }

  #part(node: NodeId, incarnation: number, nowMs: number): readonly MembershipEffect[] {
    if (this.#view !== null && hasMember(this.#view, node, incarnation)) {
      assert(this.#view.leaving.includes(node), 'only a drained member ends in order');
    }
    return this.#remove(node, incarnation, [], nowMs);
  }

  #remove(node: NodeId, incarnation: number, deaths: readonly Death[], nowMs: number): readonly MembershipEffect[] {
    this.#drained.delete(formatAddress({ id: node, incarnation }));
    const view = this.#view;
    if (view === null || this.#awaitsAdoption || !hasMember(view, node, incarnation)) return [];
    const rest = withoutMember(view, node);
    if (rest.ring.length === 0) this.#firstReadyAt = nowMs;
    // A drain that a death has put an end to waits its time anew: the dead goes first, when it comes back.
    for (const id of departing(view)) if (rest.ring.includes(id)) this.#leavers.set(id, nowMs);
    return [this.#publish(rest, deaths), ...this.#move(nowMs)];
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

  /** All done that hold anything: the joint view becomes stable, or the stable one is settled and who leaves is drained. */
  #settle(): readonly MembershipEffect[] {
    const view = this.#view;
    if (view === null || view.ring.length === 0 || this.#awaitsAdoption) return [];
    const holders = [...view.ring, ...view.leaving.filter((id) => !this.#isDrained(view, id))];
    if (!holders.every((id) => this.#done.has(`${id} app`) && this.#done.has(`${id} keeper`))) return [];
    const effects: MembershipEffect[] = [];
    for (const node of view.leaving) {
      const member = view.members[node];
      if (member === undefined || this.#isDrained(view, node) || this.#candidates.has(node)) continue;
      this.#drained.add(formatAddress(member));
      effects.push({ kind: 'drained', node, incarnation: member.incarnation });
    }
    if (view.next !== null) return [...effects, this.#publish(switched(view, view.next))];
    const whole = this.#wanted.every(
      (node) => !this.#isWanted(node) || view.ring.includes(node) || this.#givenUp.has(node),
    );
    // Told again when the operator, or a node that is given up, changes what is whole.
    if (this.#settled && whole === this.#whole) return effects;
    this.#settled = true;
    this.#whole = whole;
    return [...effects, { kind: 'settled', view, whole }];
  }

  #isDrained(view: View, id: NodeId): boolean {
    const member = view.members[id];
    return member !== undefined && this.#drained.has(formatAddress(member));
  }

  #publish(content: View, deaths: readonly Death[] = []): MembershipEffect {
    const view: View = { ...content, term: this.#options.term, number: content.number + 1 };
    assert(this.#view === null || compareViews(view, this.#view) > 0, 'views only go up');
    this.#view = view;
    for (const id of view.ring) this.#known.add(id);
    this.#done.clear();
    this.#settled = false;
    return { kind: 'publish', view, deaths };
  }
}
