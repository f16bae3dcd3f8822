import {
  compareViews,
  formatAddress,
  type Loss,
  type NodeId,
  type Side,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { DeathReport } from './events.ts';
import type { SideStats } from './stats.ts';

/** How long the figures of a death are waited for before the report is given without the missing ones. */
const reportMs = 10_000;
/** Reports kept for `status`. */
const reportsMax = 20;

type Draft = { -readonly [Key in keyof DeathReport]: DeathReport[Key] };

interface Open {
  readonly draft: Draft & { took: Record<string, number> };
  readonly proofAt: number;
  /** What "served again after" counts from: our own signal, else the proof. */
  readonly servedFrom: number;
  /** Survivors that have not yet said what they took over. */
  readonly waiting: Set<string>;
  readonly lossNow: () => Loss | null;
  probe: number | null;
  copiesKnown: boolean;
  backKnown: boolean;
  timer: NodeJS.Timeout | null;
}

/** What is known of a death in the turn that proves it. */
export interface FreshDeath {
  readonly report: Pick<
    DeathReport,
    'node' | 'incarnation' | 'pid' | 'how' | 'cause' | 'error' | 'publishedMs' | 'diskMs'
  >;
  /** Without the dead node. */
  readonly view: View;
  readonly proofAt: number;
  readonly signalAt: number | null;
  /** Whether its sessions had copies elsewhere. */
  readonly hadCopies: boolean;
  /** What went with it as far as is known when asked; null when that has been told by `lost`. */
  readonly lossNow: () => Loss | null;
  /** The sequence number of the probe that was sent, null when there was nobody to send it. */
  readonly probe: number | null;
}

/** Collects what each death did. Figures come from the workers and balancers themselves; nothing here is estimated. */
export class DeathReports {
  readonly #open = new Set<Open>();
  readonly #all: Open[] = [];
  readonly #onDone: (report: DeathReport) => void;

  constructor(onDone: (report: DeathReport) => void) {
    this.#onDone = onDone;
  }

  /** The newest last. */
  get last(): readonly DeathReport[] {
    return this.#all.map((open) => copyOf(open.draft));
  }

  begin(death: FreshDeath): DeathReport {
    const { view, proofAt, signalAt, hadCopies } = death;
    const survivors: readonly NodeId[] = hadCopies ? view.ring : [];
    const noCopies = survivors.length === 0;
    const open: Open = {
      draft: {
        ...death.report,
        at: Date.now(),
        view: { term: view.term, number: view.number },
        sessions: null,
        took: {},
        lost: null,
        lostIsExact: false,
        detectedMs: signalAt === null ? null : round(proofAt - signalAt),
        servedAfterMs: null,
        copiesAfterMs: null,
        backAfterMs: null,
        complete: false,
      },
      proofAt,
      servedFrom: signalAt ?? proofAt,
      waiting: new Set(survivors),
      lossNow: death.lossNow,
      probe: death.probe,
      copiesKnown: noCopies,
      backKnown: false,
      timer: null,
    };
    open.timer = setTimeout(() => this.#finish(open), reportMs);
    this.#open.add(open);
    this.#all.push(open);
    if (this.#all.length > reportsMax) this.#all.shift();
    return copyOf(open.draft);
  }

  /**
   * A worker's figures came: its keeper holds the copies that a death promotes. Figures of a later view mean that there
   * were none for the death's own.
   */
  stats(node: string, side: Side, stats: SideStats): void {
    if (stats.view === null) return;
    for (const open of this.#open) {
      const order = compareViews(stats.view, open.draft.view);
      if (order < 0 || (open.draft.took[node] === undefined && !open.waiting.has(node))) continue;
      if (order === 0) this.#took(open, node, side, stats.promoted);
      else if (side === 'keeper') open.waiting.delete(node);
      this.#check(open);
    }
  }

  readonly #sides = new WeakMap<Open, Map<string, number>>();

  #took(open: Open, node: string, side: Side, promoted: number): void {
    const bySide = this.#sides.get(open) ?? new Map<string, number>();
    this.#sides.set(open, bySide);
    bySide.set(`${node} ${side}`, Math.max(promoted, bySide.get(`${node} ${side}`) ?? 0));
    open.draft.took[node] = (bySide.get(`${node} app`) ?? 0) + (bySide.get(`${node} keeper`) ?? 0);
    if (side === 'keeper') open.waiting.delete(node);
    open.draft.sessions = tookOf(open);
  }

  /** What went with it is settled: told before every session has its copies again. */
  lost(address: string, loss: Loss): void {
    for (const open of this.#open) {
      if (formatAddress({ id: open.draft.node as NodeId, incarnation: open.draft.incarnation }) === address) {
        setLoss(open.draft, loss);
      }
    }
  }

  probed(sequence: number, ok: boolean): void {
    for (const open of this.#open) {
      if (open.probe !== sequence) continue;
      open.probe = null;
      if (ok) open.draft.servedAfterMs = round(performance.now() - open.servedFrom);
      this.#check(open);
    }
  }

  /** Every session has all its copies as of this view. */
  whole(view: ViewNumber): void {
    for (const open of this.#open) {
      if (open.copiesKnown || compareViews(view, open.draft.view) < 0) continue;
      open.copiesKnown = true;
      open.draft.copiesAfterMs = round(performance.now() - open.proofAt);
      this.#check(open);
    }
  }

  /** The node is in the ring again. */
  joined(node: string, incarnation: number): void {
    for (const open of this.#open) {
      if (open.draft.node !== node || open.backKnown || incarnation <= open.draft.incarnation) continue;
      open.backKnown = true;
      open.draft.backAfterMs = round(performance.now() - open.proofAt);
      this.#check(open);
    }
  }

  /** Nothing more is heard of this node: it died too, or is not started again. */
  silent(node: string, givenUp: boolean): void {
    for (const open of this.#open) {
      open.waiting.delete(node);
      if (givenUp && open.draft.node === node) open.backKnown = true;
      this.#check(open);
    }
  }

  /** Gives out what is there: the cluster ends. */
  close(): void {
    for (const open of [...this.#open]) this.#finish(open);
  }

  #check(open: Open): void {
    if (open.waiting.size > 0 || open.probe !== null || !open.copiesKnown || !open.backKnown) return;
    open.draft.complete = true;
    this.#finish(open);
  }

  #finish(open: Open): void {
    if (!this.#open.delete(open)) return;
    if (open.timer !== null) clearTimeout(open.timer);
    const loss = open.draft.lost === null ? open.lossNow() : null;
    if (loss !== null) setLoss(open.draft, loss);
    const isSilent = open.waiting.size > 0 && Object.keys(open.draft.took).length === 0;
    open.draft.sessions = isSilent ? null : tookOf(open) + (open.draft.lost ?? 0);
    this.#onDone(copyOf(open.draft));
  }
}

const tookOf = ({ draft }: Open): number => Object.values(draft.took).reduce((sum, count) => sum + count, 0);

function setLoss(draft: Draft, { sessions, isExact }: Loss): void {
  draft.lost = sessions;
  draft.lostIsExact = isExact;
}

const copyOf = (draft: Draft): DeathReport => ({ ...draft, took: { ...draft.took } });
const round = (ms: number): number => Math.round(ms * 10) / 10;
