import {
  type Death,
  hasMember,
  Membership,
  type MembershipEvent,
  type NodeId,
  unreachable,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { Control, Peer } from './control.ts';
import { reasonOf } from './files.ts';
import type { Views } from './views.ts';

/** How often the membership machine is told that time passes. */
const tickMs = 250;

export interface ViewLoopHooks {
  /** On disk and sent. `before` is the view it replaces. */
  published(view: View, before: View | null, deaths: readonly Death[], diskMs: number): void;
  /** Every session has all its copies as of this view. */
  whole(view: ViewNumber): void;
  /** This member may end: nobody needs anything of it. */
  drained(node: NodeId, incarnation: number): void;
  /** Without it nobody would serve, so it is not drained. */
  refused(node: NodeId): void;
  trouble(why: string): void;
  /** The cluster cannot start in this run directory. */
  unusable(why: string): void;
}

export interface ViewLoopOptions {
  readonly copies: number;
  readonly keyId: number;
  readonly wanted: readonly NodeId[];
}

/** Runs the membership machine: events in, views to disk and then to everyone. It holds no rules. */
export class ViewLoop {
  readonly #options: ViewLoopOptions;
  #membership: Membership | null = null;
  readonly #views: Views;
  readonly #control: Control;
  readonly #hooks: ViewLoopHooks;
  readonly #timer: NodeJS.Timeout;
  readonly #queue: MembershipEvent[] = [];
  #running = false;
  #settled: { readonly view: ViewNumber; readonly whole: boolean } | null = null;

  constructor(options: ViewLoopOptions, views: Views, control: Control, hooks: ViewLoopHooks) {
    this.#options = options;
    this.#views = views;
    this.#control = control;
    this.#hooks = hooks;
    this.#timer = setInterval(() => this.step({ kind: 'tick' }), tickMs);
  }

  /** The rules begin to run, under a term that is on disk. `adopt`: the newest view of an earlier supervisor. */
  begin(term: number, adopt: View | null): void {
    this.#membership = new Membership({ ...this.#options, term, adopt });
  }

  get view(): View | null {
    return this.#membership?.view ?? null;
  }

  /** Every session has its copies in the present view. */
  get settled(): boolean {
    return this.#settled !== null;
  }

  /** Takes the event and performs all that follows from it, in this turn. */
  step(event: MembershipEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#perform(next);
    } finally {
      this.#running = false;
    }
  }

  #perform(event: MembershipEvent): void {
    let before = this.view;
    for (const effect of this.#membership?.step(event, performance.now()) ?? []) {
      switch (effect.kind) {
        case 'publish':
          this.#publish(effect.view, before, effect.deaths);
          before = effect.view;
          break;
        case 'settled': {
          const { term, number } = effect.view;
          this.#settled = { view: { term, number }, whole: effect.whole };
          this.#control.broadcast({ kind: 'settled', ...this.#settled });
          this.#hooks.whole({ term, number });
          break;
        }
        case 'drained':
          this.#hooks.drained(effect.node, effect.incarnation);
          break;
        case 'refused':
          this.#hooks.refused(effect.node);
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #publish(view: View, before: View | null, deaths: readonly Death[]): void {
    this.#settled = null;
    const diskMs = this.#persist(view, before, deaths);
    this.#control.broadcast({ kind: 'views', views: [view], deaths });
    this.#hooks.published(view, before, deaths, diskMs);
    // A joint view becomes the ring only when every record has been acknowledged by its whole write set; a drain called
    // off leaves the ring as it was and proves nothing.
    const isSwitch = before !== null && before.next !== null && view.next === null && deaths.length === 0;
    if (isSwitch && String(view.ring) === String(before.next)) this.#hooks.whole(view);
  }

  /**
   * The term of this life is on disk, so the next one's is above every view of this one: a view that cannot be written
   * (disk full, folder gone) is published all the same. Without it nobody would take over from the dead. Only the very first
   * view of a cluster must be there: it is what makes the saved sessions of an earlier one old.
   */
  #persist(view: View, before: View | null, deaths: readonly Death[]): number {
    try {
      return this.#views.persist(view, deaths);
    } catch (error) {
      const why = `the view cannot be written to disk: ${reasonOf(error)}`;
      if (before === null) this.#hooks.unusable(why);
      else this.#hooks.trouble(why);
      return 0;
    }
  }

  /** Sends what the peer has not seen; false when it is too far behind to catch up and has to join anew. */
  catchUp(peer: Peer): boolean {
    // Only the newest matters to a balancer: it holds no state that has to pass through each.
    const missed = this.#views.missedSince(peer.role === 'balancer' ? null : peer.seen);
    if (missed === null) return false;
    if (missed.views.length > 0) peer.send({ kind: 'views', ...missed });
    if (this.#settled !== null) peer.send({ kind: 'settled', ...this.#settled });
    return true;
  }

  isMember(node: NodeId, incarnation: number): boolean {
    return this.view !== null && hasMember(this.view, node, incarnation);
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
