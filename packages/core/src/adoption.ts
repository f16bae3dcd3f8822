import type { ControlRole } from './messages.ts';
import { unreachable } from './unreachable.ts';
import { compareViews, type Member, type View, type ViewNumber } from './view.ts';

/** How long a living process has to come back to a new supervisor, in milliseconds (P17). */
export const greetMs = 1_000;
/** How long the proof that a silent process is dead is waited for before the others are served without it. */
export const proofMs = 1_000;

/** A process that the supervisor before has left behind, and that /proc shows alive. */
export interface LeftProcess {
  readonly role: 'worker' | 'balancer' | 'holder';
  readonly name: string;
  readonly incarnation: number;
}

type Who = Pick<LeftProcess, 'name' | 'incarnation'>;

export type AdoptionEvent =
  /** It has come back and proven that it knows the cluster's key. `settled`: the last view it was told is settled. */
  | ({
      readonly kind: 'greeted';
      readonly side: ControlRole;
      readonly view: View | null;
      readonly settled: ViewNumber | null;
    } & Who)
  /** Proven dead (P7). */
  | ({ readonly kind: 'died' } & Who)
  | { readonly kind: 'tick' };

export type AdoptionEffect =
  /** A view that is not on disk, though a process has it: it goes to disk, and to those that lack it. */
  | { readonly kind: 'learned'; readonly view: View }
  /** Silent, and nothing can be lost with it: SIGKILL, and wait for the proof. */
  | ({ readonly kind: 'kill' } & Who)
  /** Over. `dead`: members of `adopt` that live no more; the first view of `term` is published without them. */
  | { readonly kind: 'begin'; readonly term: number; readonly adopt: View | null; readonly dead: readonly Member[] };

export interface AdoptionOptions {
  /** The term that this supervisor has taken on disk. */
  readonly term: number;
  /** The newest view on disk, null when there is none that can be read. */
  readonly newest: View | null;
  /** All that live. Members of a view that are not among them are dead at once. */
  readonly processes: readonly LeftProcess[];
}

/**
 * Decides how a new supervisor takes over what an earlier one has left (P17): which view is the newest, who is dead, who
 * is silent, and when its own first view is due. Holds no socket, clock or disk.
 *
 * A silent member is killed only when that cannot lose a session: it is alone in its silence, the cluster was settled in
 * the newest view, and with it fewer members go than a session has copies. Any other one stays a member, and the rules
 * of a hung process (P8) decide about it later.
 */
export class Adoption {
  readonly #term: number;
  readonly #startedAt: number;
  readonly #alive = new Map<string, LeftProcess>();
  readonly #greeted = new Set<string>();
  readonly #killed = new Set<string>();
  #newest: View | null;
  #settled: ViewNumber | null = null;
  #judgedAt: number | null = null;
  #begun = false;

  constructor({ term, newest, processes }: AdoptionOptions, nowMs: number) {
    this.#term = term;
    this.#newest = newest;
    this.#startedAt = nowMs;
    for (const left of processes) this.#alive.set(nameOf(left), left);
  }

  /** The highest view known so far. */
  get newest(): View | null {
    return this.#newest;
  }

  /** It has ended: what comes now is for the supervisor's ordinary rules. */
  get begun(): boolean {
    return this.#begun;
  }

  step(event: AdoptionEvent, nowMs: number): readonly AdoptionEffect[] {
    if (this.#begun) return [];
    switch (event.kind) {
      case 'greeted':
        return [...this.#greet(event), ...this.#judge(nowMs)];
      case 'died':
        this.#alive.delete(nameOf(event));
        return this.#judge(nowMs);
      case 'tick':
        return this.#judge(nowMs);
      default:
        return unreachable(event);
    }
  }

  #greet(event: AdoptionEvent & { readonly kind: 'greeted' }): readonly AdoptionEffect[] {
    // A worker's app may be busy for a while; its keeper answers for the process (P8).
    if (event.side !== 'app') this.#greeted.add(nameOf(event));
    if (event.settled !== null && isNewer(event.settled, this.#settled)) this.#settled = event.settled;
    if (event.view === null || !isNewer(event.view, this.#newest)) return [];
    this.#newest = event.view;
    return [{ kind: 'learned', view: event.view }];
  }

  #judge(nowMs: number): readonly AdoptionEffect[] {
    const silent = [...this.#alive.values()].filter((left) => !this.#greeted.has(nameOf(left)));
    const effects: AdoptionEffect[] = [];
    if (this.#judgedAt === null) {
      if (silent.length > 0 && nowMs - this.#startedAt < greetMs) return [];
      this.#judgedAt = nowMs;
      for (const { name, incarnation } of this.#safeToKill(silent)) {
        this.#killed.add(nameOf({ name, incarnation }));
        effects.push({ kind: 'kill', name, incarnation });
      }
    }
    const dying = [...this.#killed].some((name) => this.#alive.has(name));
    if (dying && nowMs - this.#judgedAt < proofMs) return effects;
    this.#begun = true;
    const term = Math.max(this.#term, (this.#newest?.term ?? 0) + 1);
    return [...effects, { kind: 'begin', term, adopt: this.#newest, dead: this.#deadMembers() }];
  }

  #safeToKill(silent: readonly LeftProcess[]): readonly LeftProcess[] {
    const members = silent.filter((left) => this.#isMember(left));
    const copies = Math.min(this.#newest?.copies ?? 0, this.#newest?.ring.length ?? 0);
    const isSettled =
      this.#settled !== null && this.#newest !== null && compareViews(this.#settled, this.#newest) === 0;
    const maySpareOne = isSettled && members.length === 1 && this.#deadMembers().length + 1 < copies;
    // Whoever holds the port is killed only while another one does.
    const hasBalancer = [...this.#alive.values()].some(
      (left) => left.role === 'balancer' && this.#greeted.has(nameOf(left)),
    );
    return silent.filter((left) => {
      if (left.role !== 'worker') return hasBalancer;
      return !this.#isMember(left) || maySpareOne;
    });
  }

  #isMember({ role, name, incarnation }: LeftProcess): boolean {
    return role === 'worker' && this.#newest?.members[name]?.incarnation === incarnation;
  }

  #deadMembers(): readonly Member[] {
    const members = Object.values(this.#newest?.members ?? {});
    return members.filter(({ id, incarnation }) => !this.#alive.has(nameOf({ name: id, incarnation })));
  }
}

const nameOf = ({ name, incarnation }: Who): string => `${name}.${incarnation}`;
const isNewer = (view: ViewNumber, than: ViewNumber | null): boolean => than === null || compareViews(view, than) > 0;
