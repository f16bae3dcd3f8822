import type { NodeId } from './ids.ts';
import type { MembershipEvent, Side } from './membership.ts';
import { unreachable } from './unreachable.ts';
import { compareViews, hasMember, numberOf, type View, type ViewNumber } from './view.ts';

/** How often a keeper thread says that its process runs, in milliseconds. Shorter: a pause is noticed no earlier, each member costs more. */
export const beatMs = 100;
/** Silent for so long, a process or a loop is suspect: it gets no new sessions. In milliseconds. */
export const suspectMs = 1_000;
/** A process silent for so long is confirmed. Higher: a write waits longer for a stopped buddy; keep it well below the deadline. */
export const confirmMs = 3_000;
/** The only custodian of some session is given so long to come back, in milliseconds. */
export const custodyMs = 30_000;
/** The supervisor's own timers may come so late, in milliseconds, before it distrusts what it has not heard. */
export const lagMsMax = 200;
/** Of one gap between two beats at most so much counts against the loop: a process that was stopped had no loop to turn. */
const beatGapMsMax = beatMs + lagMsMax;

/** Which of a member's two clocks: its process (the keeper's heartbeat) or the loop that runs the app. */
export type Clock = 'process' | 'loop';

/** What the supervisor saw. `ready`, `died`, `left` and `done` are the membership machine's own events. */
export type HealthEvent =
  /** The clocks count from here. */
  | Extract<MembershipEvent, { readonly kind: 'ready' }>
  | Extract<MembershipEvent, { readonly kind: 'died' }>
  /** It has ended in order: nobody is to wait for its beats. */
  | Extract<MembershipEvent, { readonly kind: 'left' }>
  /** Where a member's copies stand: what it held when this view came is held elsewhere too. */
  | Extract<MembershipEvent, { readonly kind: 'done' }>
  | { readonly kind: 'view'; readonly view: View }
  /** `turns`: how often the app's loop has come round; only whether it changes matters. `inspected`: a debugger may hold the loop. */
  | {
      readonly kind: 'beat';
      readonly node: NodeId;
      readonly incarnation: number;
      readonly turns: number;
      readonly inspected: boolean;
    }
  /** Every `beatMs`. `lagMs`: how much later than that it came. */
  | { readonly kind: 'tick'; readonly lagMs: number };

/** Why a member that has been silent long enough is not killed. */
export type Guard =
  /** A debugger is open: the loop may stand at a breakpoint. */
  | 'inspector'
  /** Several are silent at once, or were a moment ago, or this process itself was late: the machine is slow. */
  | 'machine'
  /** Another one is being killed, or its process is silent itself. */
  | 'another'
  /** Nobody else is in the ring. */
  | 'last'
  /** Some session may have no other copy. */
  | 'custody';

interface About {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly clock: Clock;
  /** How long that clock has stood, in milliseconds. */
  readonly silentMs: number;
}

export type HealthEffect =
  | ({ readonly kind: 'suspect' } & About)
  | { readonly kind: 'cleared'; readonly node: NodeId; readonly incarnation: number }
  /** SIGKILL. Only the proof of the death changes the view (P7). */
  | ({ readonly kind: 'kill' } & About)
  /** It would be killed but for the guard. Said once for each guard. */
  | ({ readonly kind: 'spared'; readonly guard: Guard } & About);

/** What is to be done about one member now. */
type Verdict =
  | { readonly kind: 'wait' }
  | { readonly kind: 'kill'; readonly clock: Clock; readonly silentMs: number }
  | { readonly kind: 'spare'; readonly clock: Clock; readonly silentMs: number; readonly guard: Guard };

interface Watched {
  readonly node: NodeId;
  readonly incarnation: number;
  /** When its process was last heard, or the count of its silence began anew. */
  heardAtMs: number;
  turns: number | null;
  /** Time in which the process was heard and its loop did not come round. */
  loopSilentMs: number;
  inspected: boolean;
  suspicion: Clock | null;
  sparedBy: Guard | null;
  /** The newest view in which each side was done. */
  readonly done: Map<Side, ViewNumber>;
}

/**
 * Decides who is suspect and who must be killed for hanging (P8). Holds no socket, clock or process.
 *
 * Invariants: at most one kill is under way; never the last member of the ring; never by a clock that counted time in
 * which nobody could have been heard.
 */
export class HealthMachine {
  readonly #hangKillMs: number;
  readonly #watched = new Map<NodeId, Watched>();
  #view: View | null = null;
  /** The newest view that took a member away: whoever has not been done since may hold the only copy of something. */
  #shrunkIn: ViewNumber | null = null;
  /** Since when nothing has spoken for a slow machine. */
  #calmSinceMs = Number.NEGATIVE_INFINITY;
  #killing: Watched | null = null;

  /** `hangKillMs`: a loop silent for so long is hung; 0: never. */
  constructor(options: { readonly hangKillMs: number }) {
    this.#hangKillMs = options.hangKillMs;
  }

  /** The suspects of this moment. */
  suspects(nowMs: number): readonly (About & { readonly inspected: boolean })[] {
    return [...this.#watched.values()].flatMap((member) => {
      const clock = member.suspicion;
      return clock === null ? [] : [{ ...aboutOf(member, clock, nowMs), inspected: member.inspected }];
    });
  }

  step(event: HealthEvent, nowMs: number): readonly HealthEffect[] {
    switch (event.kind) {
      case 'ready':
        this.#admit(event.node, event.incarnation, nowMs);
        return [];
      case 'died':
        this.#forget(event.death.node, event.death.incarnation);
        return [];
      case 'left':
        this.#forget(event.node, event.incarnation);
        return [];
      case 'done':
        this.#find(event.node, event.incarnation)?.done.set(event.side, event.view);
        return [];
      case 'view':
        this.#enter(event.view);
        return [];
      case 'beat':
        return this.#hear(event, nowMs);
      case 'tick':
        return this.#judge(event.lagMs, nowMs);
      default:
        return unreachable(event);
    }
  }

  #find(node: NodeId, incarnation: number): Watched | null {
    const member = this.#watched.get(node);
    return member?.incarnation === incarnation ? member : null;
  }

  #admit(node: NodeId, incarnation: number, nowMs: number): void {
    if (this.#find(node, incarnation) !== null) return;
    this.#watched.set(node, {
      node,
      incarnation,
      heardAtMs: nowMs,
      turns: null,
      loopSilentMs: 0,
      inspected: false,
      suspicion: null,
      sparedBy: null,
      done: new Map(),
    });
  }

  #forget(node: NodeId, incarnation: number): void {
    const member = this.#find(node, incarnation);
    if (member === null) return;
    this.#watched.delete(node);
    if (this.#killing === member) this.#killing = null;
  }

  #enter(view: View): void {
    const former = this.#view;
    this.#view = view;
    const isWhole =
      former !== null && Object.values(former.members).every(({ id, incarnation }) => hasMember(view, id, incarnation));
    if (!isWhole) this.#shrunkIn = numberOf(view);
  }

  #hear(beat: HealthEvent & { readonly kind: 'beat' }, nowMs: number): readonly HealthEffect[] {
    const member = this.#find(beat.node, beat.incarnation);
    if (member === null) return [];
    const gapMs = Math.min(nowMs - member.heardAtMs, beatGapMsMax);
    member.loopSilentMs = beat.turns === member.turns ? member.loopSilentMs + gapMs : 0;
    member.heardAtMs = nowMs;
    member.turns = beat.turns;
    member.inspected = beat.inspected;
    return suspectBy(member, member.loopSilentMs >= suspectMs ? 'loop' : null, nowMs);
  }

  #judge(lagMs: number, nowMs: number): readonly HealthEffect[] {
    if (lagMs > lagMsMax) {
      // Stopped, or starved: what was said meanwhile has not been read yet. Everyone's silence counts anew.
      for (const member of this.#watched.values()) member.heardAtMs = nowMs;
      this.#calmSinceMs = nowMs;
      return [];
    }
    const silent = [...this.#watched.values()].filter((member) => nowMs - member.heardAtMs >= suspectMs);
    if (silent.length > 1) this.#calmSinceMs = nowMs;
    const suspected = silent.flatMap((member) => suspectBy(member, 'process', nowMs));
    return [...suspected, ...this.#longestSilentFirst(nowMs).flatMap((member) => this.#act(member, nowMs))];
  }

  #longestSilentFirst(nowMs: number): readonly Watched[] {
    const silence = (member: Watched) => Math.max(nowMs - member.heardAtMs, member.loopSilentMs);
    return [...this.#watched.values()].sort((a, b) => silence(b) - silence(a));
  }

  #act(member: Watched, nowMs: number): readonly HealthEffect[] {
    if (this.#killing === member) return [];
    const verdict = this.#decide(member, nowMs);
    if (verdict.kind === 'wait') return [];
    const { clock, silentMs } = verdict;
    const about: About = { node: member.node, incarnation: member.incarnation, clock, silentMs };
    if (verdict.kind === 'kill') {
      this.#killing = member;
      return [{ kind: 'kill', ...about }];
    }
    if (member.sparedBy === verdict.guard) return [];
    member.sparedBy = verdict.guard;
    return [{ kind: 'spared', guard: verdict.guard, ...about }];
  }

  #decide(member: Watched, nowMs: number): Verdict {
    const clock: Clock = nowMs - member.heardAtMs >= suspectMs ? 'process' : 'loop';
    const { silentMs } = aboutOf(member, clock, nowMs);
    if (clock === 'loop' && (this.#hangKillMs === 0 || silentMs < this.#hangKillMs)) return { kind: 'wait' };
    if (clock === 'process' && silentMs < confirmMs) return { kind: 'wait' };
    const guard = this.#guardOf(member, clock, silentMs, nowMs);
    return guard === null ? { kind: 'kill', clock, silentMs } : { kind: 'spare', clock, silentMs, guard };
  }

  #guardOf(member: Watched, clock: Clock, silentMs: number, nowMs: number): Guard | null {
    if (clock === 'loop' && member.inspected) return 'inspector';
    // Also for a while after: a machine that wakes does not wake everyone at once.
    if (nowMs - this.#calmSinceMs < confirmMs) return 'machine';
    if (this.#killing !== null || (clock === 'loop' && this.#isAnySilent(nowMs))) return 'another';
    if (this.#view?.ring.some((id) => id !== member.node) !== true) return 'last';
    if (silentMs < custodyMs && this.#mayBeOnlyCustodian(member)) return 'custody';
    return null;
  }

  /** A process that may never be heard again: what it holds, the one whose loop hangs beside it may hold alone. */
  #isAnySilent(nowMs: number): boolean {
    return [...this.#watched.values()].some(({ heardAtMs }) => nowMs - heardAtMs >= suspectMs);
  }

  /**
   * A member that was done after the last one was taken away holds nothing alone: a later write is acknowledged by its
   * whole write set before anyone is told of it, and a join takes no copy away before there are others.
   */
  #mayBeOnlyCustodian(member: Watched): boolean {
    const view = this.#view;
    const since = this.#shrunkIn;
    if (view === null || since === null || !view.ring.includes(member.node)) return false;
    if (view.copies < 2) return true;
    return !(['app', 'keeper'] as const).every((side) => {
      const done = member.done.get(side);
      return done !== undefined && compareViews(done, since) >= 0;
    });
  }
}

function aboutOf(member: Watched, clock: Clock, nowMs: number): About {
  const silentMs = clock === 'process' ? nowMs - member.heardAtMs : member.loopSilentMs;
  return { node: member.node, incarnation: member.incarnation, clock, silentMs };
}

/** Notes the suspicion; the effect, when it is another than before. */
function suspectBy(member: Watched, clock: Clock | null, nowMs: number): readonly HealthEffect[] {
  if (clock === member.suspicion) return [];
  member.suspicion = clock;
  if (clock !== null) return [{ kind: 'suspect', ...aboutOf(member, clock, nowMs) }];
  member.sparedBy = null;
  return [{ kind: 'cleared', node: member.node, incarnation: member.incarnation }];
}
