import type { NodeId, View } from '@limpet/core';
import type { Slot } from './slot.ts';
import { total } from './stats.ts';

/** How far a join or a drain is: sessions that have to get a place of their own before it is over. */
export interface MoveProgress {
  readonly node: string;
  readonly kind: 'join' | 'drain';
  /** `copying`: the new holders get their copies. `handing over`: the new primaries take the sessions. */
  readonly phase: 'copying' | 'handing over';
  /** Steps in all: a session that is copied and then handed over counts twice. */
  readonly total: number;
  readonly left: number;
  /** Null before anything can be said. */
  readonly perSecond: number | null;
  readonly etaMs: number | null;
}

type Phase = MoveProgress['phase'];

interface Move {
  readonly node: NodeId;
  readonly kind: MoveProgress['kind'];
  readonly totals: { readonly [phase in Phase]: number };
  /** Sessions there were at the start. */
  readonly sessions: number;
  readonly phase: Phase;
  /** Of the phase, on the monotonic clock. */
  readonly since: number;
  /** How long the hand-over is going to take, as far as the copying tells; null while copying. */
  readonly handOverMs: number | null;
  /** The view whose reports count. */
  readonly view: View;
  /** How much was left, as often as anyone asked, the oldest first; bounded by `paceMs`. */
  readonly seen: { readonly at: number; readonly left: number }[];
}

/** Handing a session over costs about this many times what copying it does: it is asked for, taken, confirmed and dropped. */
const handOverWeight = 2;
/** The pace is that of the last so many milliseconds: a phase begins slowly, until every session has been looked at. */
const paceMs = 500;

/** Follows joins and drains, one at a time as they are made, by what the workers say of themselves. */
export class Progress {
  #move: Move | null = null;
  readonly #slots: () => readonly Slot[];

  constructor(slots: () => readonly Slot[]) {
    this.#slots = slots;
  }

  published(view: View, nowMs: number): void {
    const move = this.#move;
    if (view.next !== null) {
      const { next } = view;
      const going = view.ring.find((id) => !next.includes(id));
      const node = going ?? next.find((id) => !view.ring.includes(id));
      if (node !== undefined) this.#move = this.#begin(node, going === undefined ? 'join' : 'drain', view, nowMs);
      return;
    }
    if (move === null) return;
    const isSwitch = move.kind === 'drain' ? view.leaving.includes(move.node) : view.ring.includes(move.node);
    if (!isSwitch) this.#move = null;
    else if (move.phase === 'handing over') this.#move = { ...move, view };
    else {
      const { copying, 'handing over': toHandOver } = move.totals;
      const handOverMs = ((nowMs - move.since) * handOverWeight * toHandOver) / Math.max(1, copying);
      this.#move = { ...move, phase: 'handing over', since: nowMs, handOverMs, view, seen: [] };
    }
  }

  /** Every session has its copies. */
  settled(): void {
    this.#move = null;
  }

  #begin(node: NodeId, kind: Move['kind'], view: View, nowMs: number): Move {
    const slots = this.#slots();
    const own = slots.find(({ id }) => id === node)?.life?.stats ?? {};
    const sessions = slots.reduce((sum, { life }) => sum + total(life?.stats ?? {}, 'primary'), 0);
    const share = Math.ceil(sessions / (view.ring.length + 1));
    const primary = kind === 'drain' ? total(own, 'primary') : share;
    const copies = Math.min(view.copies, view.ring.length) - 1;
    const buddy = kind === 'drain' ? total(own, 'buddy') : share * copies;
    const totals = { copying: primary + buddy, 'handing over': primary };
    return { node, kind, totals, sessions, phase: 'copying', since: nowMs, handOverMs: null, view, seen: [] };
  }

  get(nowMs: number): MoveProgress | null {
    const move = this.#move;
    if (move === null) return null;
    const { node, kind, phase, totals, since } = move;
    const ofPhase = totals[phase];
    const leftOfPhase = Math.min(
      ofPhase,
      Math.max(0, phase === 'copying' ? this.#uncopied(move) : this.#unhanded(move)),
    );
    const pace = paceOf(move, leftOfPhase, nowMs);
    const { copying, 'handing over': toHandOver } = totals;
    return {
      node,
      kind,
      phase,
      total: copying + toHandOver,
      left: phase === 'copying' ? leftOfPhase + toHandOver : leftOfPhase,
      perSecond: pace === null ? null : Math.round(1_000 / pace.msEach),
      etaMs: etaOf(move, pace, nowMs - since),
    };
  }

  /** Sessions to be copied that some new holder has not got; all of them while a member has not come to the view. */
  #uncopied({ view, totals }: Move): number {
    let uncopied = 0;
    for (const id of view.ring) {
      const stats = this.#slots().find((slot) => slot.id === id)?.life?.stats.app;
      if (stats?.view?.term !== view.term || stats.view.number !== view.number) return totals.copying;
      uncopied += stats.uncopied;
    }
    return uncopied;
  }

  /** Sessions that their new primary has not taken yet. */
  #unhanded({ view, node, kind, totals, sessions }: Move): number {
    let taken = 0;
    for (const { id, life } of this.#slots()) {
      if (kind === 'join' ? id === node : view.ring.includes(id)) taken += life?.stats.app?.primary ?? 0;
    }
    return kind === 'join' ? totals['handing over'] - taken : sessions - taken;
  }
}

/** Milliseconds for one session, as far as the last looks tell. */
function paceOf({ seen }: Move, left: number, nowMs: number): Pace | null {
  seen.push({ at: nowMs, left });
  while ((seen[0]?.at ?? nowMs) < nowMs - paceMs) seen.shift();
  const [oldest] = seen;
  const done = (oldest?.left ?? left) - left;
  if (oldest === undefined || done <= 0 || nowMs <= oldest.at) return null;
  return { left, msEach: (nowMs - oldest.at) / done };
}

interface Pace {
  readonly left: number;
  readonly msEach: number;
}

function etaOf({ phase, totals, handOverMs }: Move, pace: Pace | null, elapsedMs: number): number | null {
  if (phase === 'copying') {
    if (pace === null) return null;
    return Math.round(pace.msEach * (pace.left + handOverWeight * totals['handing over']));
  }
  const foretold = Math.max(0, (handOverMs ?? 0) - elapsedMs);
  if (pace === null) return Math.round(foretold);
  // The copying has foretold the hand-over; from its middle on its own pace counts alone.
  const trust = Math.min(1, 2 * (1 - pace.left / Math.max(1, totals['handing over'])));
  // Speeds are averaged, not times: a pace that has hardly begun would count for ever.
  return Math.round(1 / (trust / Math.max(1, pace.msEach * pace.left) + (1 - trust) / Math.max(1, foretold)));
}
