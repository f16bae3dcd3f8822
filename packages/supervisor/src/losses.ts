import type { Death, View } from '@limpet/core';
import type { Control } from './control.ts';
import type { DeathReports } from './deaths.ts';
import type { DeathReport } from './events.ts';
import { total } from './stats.ts';
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
  #probes = 0;
  #removedIn: { readonly view: View; readonly diskMs: number } | null = null;

  constructor(parts: LossesParts) {
    this.#parts = parts;
  }

  /** Told of every view that tells of a death. */
  published(view: View, diskMs: number): void {
    this.#removedIn = { view, diskMs: round(diskMs) };
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
    if (!wasMember || removed === null) return null;
    const { view, diskMs } = removed;
    return deaths.begin({
      report: { node, incarnation, pid: life.running.pid, how, cause, error, publishedMs, diskMs },
      view,
      proofAt: at,
      signalAt: life.signal?.at ?? null,
      lastPrimary: total(life.stats, 'primary'),
      hadCopies: hasCopies,
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
        lastPrimary: null,
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
