import type { Side } from './membership.ts';
import type { CustodyReport, Holding } from './messages.ts';
import { compareViews, type ViewNumber } from './view.ts';

/**
 * How many sessions went with the last of their custodians. The dead cannot be asked, so every member says beforehand
 * who holds the sessions it is primary of, and its keeper how many copies wait there for its app's loop to take them.
 */

/** Sessions that nobody holds any more since a member died. */
export interface Loss {
  readonly sessions: number;
  /** The reports it was counted from were steady. Else sessions were being made, ended or copied: about so many. */
  readonly isExact: boolean;
}

/** Deaths remembered while nothing settles; of more, the oldest count as settled. */
export const unsettledDeathsMax = 1_000;

interface Death {
  readonly address: string;
  /** The first view without it. */
  readonly goneIn: ViewNumber;
  readonly reports: Partial<Record<Side, CustodyReport>>;
}

/** Addresses are node and incarnation (`n2.1`): what a former incarnation held is gone with it. */
export class LossLedger {
  readonly #living = new Map<string, Partial<Record<Side, CustodyReport>>>();
  /** Members whose sessions may not have found their copies again, in order of death. */
  readonly #dead: Death[] = [];
  #settled: Loss = { sessions: 0, isExact: true };

  /** What a member says last before its death may arrive after the proof of it: reports of the dead count, too. */
  report(address: string, side: Side, report: CustodyReport): void {
    const dead = this.#dead.find((death) => death.address === address);
    if (dead !== undefined) {
      dead.reports[side] = report;
      return;
    }
    const known = this.#living.get(address);
    if (known === undefined) this.#living.set(address, { [side]: report });
    else known[side] = report;
  }

  died(address: string, goneIn: ViewNumber): void {
    if (this.#dead.some((death) => death.address === address)) return;
    this.#dead.push({ address, goneIn, reports: this.#living.get(address) ?? {} });
    this.#living.delete(address);
    const [oldest] = this.#dead;
    if (this.#dead.length <= unsettledDeathsMax || oldest === undefined) return;
    this.#settled = plus(this.#settled, this.#count(oldest));
    this.#dead.shift();
  }

  /** It has ended as no member: what it held was handed over before. */
  forget(address: string): void {
    this.#living.delete(address);
  }

  /** All that was lost since the ledger began. */
  get total(): Loss {
    return [...this.#dead.map((death) => this.#count(death))].reduce(plus, this.#settled);
  }

  /** Every session has its copies in this view: what the dead before it held has other custodians, or is lost. */
  settled(view: ViewNumber): readonly { readonly address: string; readonly loss: Loss }[] {
    const over = this.#dead.filter(({ goneIn }) => compareViews(goneIn, view) <= 0);
    const losses = over.map((death) => ({ address: death.address, loss: this.#count(death) }));
    for (const { loss } of losses) this.#settled = plus(this.#settled, loss);
    for (const death of over) this.#dead.splice(this.#dead.indexOf(death), 1);
    return losses;
  }

  /** What went with this member, as far as it is known now; null for one whose death is settled or unknown. */
  lossOf(address: string): Loss | null {
    const death = this.#dead.find((known) => known.address === address);
    return death === undefined ? null : this.#count(death);
  }

  /** Sessions of its own without another custodian, and those of the dead before it that it was the last custodian of. */
  #count(death: Death): Loss {
    const at = this.#dead.indexOf(death);
    const before = this.#dead.slice(0, at);
    const gone = new Set([...before, death].map(({ address }) => address));
    const { app, keeper } = death.reports;
    let sessions = sum(app?.holdings, ({ holders }) => holders.every((holder) => gone.has(holder)));
    let isExact = app?.isSteady === true;
    let orphansMax = 0;
    for (const former of before) {
      const left = sum(
        former.reports.app?.holdings,
        ({ holders }) => holders.includes(death.address) && holders.every((holder) => gone.has(holder)),
      );
      if (left === 0) continue;
      const seen = [app, keeper].filter(
        (report) => report !== undefined && compareViews(report.view, former.goneIn) >= 0,
      );
      // It had taken them up: what it had not taken into its own count yet was waiting at its keeper.
      if (seen.length === 2) orphansMax += left;
      else sessions += left;
      isExact &&= former.reports.app?.isSteady === true && seen.length !== 1;
    }
    const orphans = Math.min(orphansMax, keeper?.orphans ?? 0);
    if (orphansMax > 0) isExact &&= keeper?.isSteady === true;
    return { sessions: sessions + orphans, isExact };
  }
}

const plus = (a: Loss, b: Loss): Loss => ({ sessions: a.sessions + b.sessions, isExact: a.isExact && b.isExact });

function sum(holdings: readonly Holding[] | undefined, isCounted: (holding: Holding) => boolean): number {
  let sessions = 0;
  for (const holding of holdings ?? []) if (isCounted(holding)) sessions += holding.sessions;
  return sessions;
}
