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
  readonly startedAt: number;
  readonly totals: { readonly [phase in Phase]: number };
  phase: Phase;
  /** The view whose reports count. */
  view: View;
  /** The most that was to be done at one time in this phase. */
  peak: number;
}

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
      const next = view.next;
      const going = view.ring.find((id) => !next.includes(id));
      const node = going ?? next.find((id) => !view.ring.includes(id));
      if (node === undefined) return;
      this.#move = this.#begin(node, going === undefined ? 'join' : 'drain', view, nowMs);
      return;
    }
    if (move === null) return;
    const isSwitch = move.kind === 'drain' ? view.leaving.includes(move.node) : view.ring.includes(move.node);
    if (!isSwitch) this.#move = null;
    else if (move.phase === 'copying') this.#move = { ...move, phase: 'handing over', view, peak: 0 };
    else move.view = view;
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
    return { node, kind, startedAt: nowMs, totals, phase: 'copying', view, peak: 0 };
  }

  get(nowMs: number): MoveProgress | null {
    const move = this.#move;
    if (move === null) return null;
    const { node, kind, phase, totals } = move;
    const open = this.#open(move);
    move.peak = Math.max(move.peak, open ?? 0);
    const ofPhase = totals[phase];
    const leftOfPhase = open === null ? ofPhase : Math.round(ofPhase * (open / Math.max(1, move.peak)));
    const left = phase === 'copying' ? leftOfPhase + totals['handing over'] : leftOfPhase;
    const sum = totals.copying + totals['handing over'];
    const elapsedMs = nowMs - move.startedAt;
    const done = sum - left;
    const isKnown = done > 0 && elapsedMs > 0;
    return {
      node,
      kind,
      phase,
      total: sum,
      left,
      perSecond: isKnown ? Math.round((done / elapsedMs) * 1_000) : null,
      etaMs: isKnown ? Math.round((elapsedMs * left) / done) : null,
    };
  }

  /** What the workers say is still to be done in the move's view; null while some of them have not come to it. */
  #open({ view, phase }: Move): number | null {
    let open = 0;
    for (const { id, life } of this.#slots()) {
      if (life === null || view.members[id]?.incarnation !== life.incarnation) continue;
      const stats = phase === 'copying' ? life.stats.app : life.stats.keeper;
      const isJoiner = !view.ring.includes(id) && !view.leaving.includes(id);
      if (isJoiner) continue;
      if (stats?.view?.term !== view.term || stats.view.number !== view.number) return null;
      open += stats.unprotected;
    }
    return open;
  }
}
