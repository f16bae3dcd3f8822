import {
  type CustodyReport,
  type Death,
  formatAddress,
  type Loss,
  LossLedger,
  type Side,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { Control } from './control.ts';
import type { DeathReports } from './deaths.ts';
import type { DeathReport } from './events.ts';
import type { Slot } from './slot.ts';
import type { ViewLoop } from './view-loop.ts';
import type { Corpse } from './workers.ts';

export interface LossesParts {
  readonly loop: ViewLoop;
  readonly control: Control;
  readonly deaths: DeathReports;
  /** Whether sessions have copies on other nodes. */
  readonly hasCopies: boolean;
}

/** What follows the proof of a worker's death, in the same turn: the view without it, a probe, a report begun. */
export class Losses {
  readonly #parts: LossesParts;
  readonly #ledger = new LossLedger();
  /** Of incarnations that are gone. */
  #unheldBefore = 0;
  #probes = 0;
  #removedIn: { readonly view: View; readonly diskMs: number } | null = null;

  constructor(parts: LossesParts) {
    this.#parts = parts;
  }

  /** Told of every view that tells of a death. */
  published(view: View, diskMs: number): void {
    this.#removedIn = { view, diskMs: round(diskMs) };
  }

  /** Sessions lost since this supervisor began. */
  get total(): Loss {
    return this.#ledger.total;
  }

  /** Sessions that users asked for, with an id once given out, and that nobody held any more. */
  unheld(slots: readonly Slot[]): number {
    return slots.reduce((sum, { life }) => sum + (life?.stats.app?.unheld ?? 0), this.#unheldBefore);
  }

  report(address: string, side: Side, report: CustodyReport): void {
    this.#ledger.report(address, side, report);
  }

  /** Every session has its copies in this view. */
  whole(view: ViewNumber): void {
    for (const { address, loss } of this.#ledger.settled(view)) this.#parts.deaths.lost(address, loss);
    this.#parts.deaths.whole(view);
  }

  /** The report as far as it is known, null when the dead was no member. */
  died({ slot, life, death, error, at }: Corpse): DeathReport | null {
    const { loop, deaths, hasCopies } = this.#parts;
    const { node, incarnation, how, cause } = death;
    const wasMember = loop.isMember(node, incarnation);
    loop.step({ kind: 'died', death });
    const publishedMs = round(performance.now() - at);
    deaths.silent(node, false);
    const removed = this.#removedIn;
    const address = formatAddress({ id: node, incarnation });
    this.#unheldBefore += life.stats.app?.unheld ?? 0;
    if (!wasMember || removed === null) {
      this.#ledger.forget(address);
      return null;
    }
    const { view, diskMs } = removed;
    this.#ledger.died(address, view);
    return deaths.begin({
      report: { node, incarnation, pid: life.running.pid, how, cause, error, publishedMs, diskMs },
      view,
      proofAt: at,
      signalAt: life.signal?.at ?? null,
      hadCopies: hasCopies,
      lossNow: () => this.#ledger.lossOf(address),
      probe: this.#sendProbe(slot.id),
    });
  }

  /** The first view of this supervisor: without those that died while there was none. Gives a report for each. */
  takeOver(dead: readonly { readonly death: Death; readonly error: string | null }[]): readonly DeathReport[] {
    const { loop, deaths, hasCopies } = this.#parts;
    const proofAt = performance.now();
    loop.step({ kind: 'adopted', dead: dead.map(({ death }) => death) });
    const publishedMs = round(performance.now() - proofAt);
    const removed = this.#removedIn;
    if (removed === null) return [];
    const { view, diskMs } = removed;
    return dead.map(({ death, error }) => {
      const { node, incarnation, how, cause } = death;
      return deaths.begin({
        report: { node, incarnation, pid: null, how, cause, error, publishedMs, diskMs },
        view,
        proofAt,
        signalAt: null,
        // Nobody heard what it said last.
        lossNow: () => null,
        hadCopies: hasCopies,
        probe: this.#sendProbe(node),
      });
    });
  }

  /** A balancer asks, as one of the dead node's users would, until it is served. */
  #sendProbe(node: Corpse['death']['node']): number | null {
    const [balancer] = this.#parts.control.of('balancer');
    if (balancer === undefined || (this.#parts.loop.view?.ring.length ?? 0) === 0) return null;
    this.#probes += 1;
    balancer.send({ kind: 'probe', node, sequence: this.#probes });
    return this.#probes;
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
