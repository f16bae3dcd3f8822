import { type NodeId, type SaveReport, type Side, saveMsMax } from '@limpet/core';
import type { Control } from './control.ts';
import type { Slot } from './slot.ts';
import { total } from './stats.ts';

/** What the workers need besides the time for writing: a turn of their loops, and the disk's last word. */
const marginMs = 1_500;

export interface SaveOutcome {
  readonly sessions: number;
  readonly unsaved: number;
  readonly why: string | null;
  readonly ms: number;
}

interface Member {
  readonly node: NodeId;
  readonly incarnation: number;
  /** Sessions it had as primary when it last said so. */
  readonly lastPrimary: number;
  readonly reports: Map<Side, SaveReport>;
  isGone: boolean;
}

/**
 * Has all workers save their sessions, once the balancers have ended and nobody asks any more. Each session is in the
 * file of its primary and in those of its copies: what one worker fails to save another has saved, and is not missed.
 */
export class Save {
  readonly #control: Pick<Control, 'of'>;
  readonly #copies: number;
  #members: readonly Member[] = [];
  #end: (() => void) | null = null;
  #reason: string | null = null;

  /** `copies`: how many of each session the cluster holds. */
  constructor(control: Pick<Control, 'of'>, copies: number) {
    this.#control = control;
    this.#copies = copies;
  }

  async run(slots: readonly Slot[]): Promise<SaveOutcome> {
    const begin = performance.now();
    this.#members = slots.flatMap(({ id: node, life }) => {
      if (life === null || life.readyAt === null) return [];
      const lastPrimary = total(life.stats, 'primary');
      return [{ node, incarnation: life.incarnation, lastPrimary, reports: new Map(), isGone: false }];
    });
    for (const { node, incarnation } of this.#members) {
      for (const peer of [...this.#control.of('app', node), ...this.#control.of('keeper', node)]) {
        if (peer.incarnation === incarnation) peer.send({ kind: 'save', limitMs: saveMsMax });
      }
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, saveMsMax + marginMs);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#check();
    });
    this.#end = null;
    return { ...this.#sum(), ms: Math.round(performance.now() - begin) };
  }

  saved(node: NodeId, incarnation: number, side: Side, report: SaveReport): void {
    this.#find(node, incarnation)?.reports.set(side, report);
    this.#check();
  }

  died(node: NodeId, incarnation: number): void {
    const member = this.#find(node, incarnation);
    if (member !== undefined) member.isGone = true;
    this.#check();
  }

  /** The cluster is ended at once: nothing more is waited for. */
  abort(): void {
    this.#reason = 'it was ended at once';
    this.#end?.();
  }

  #find(node: NodeId, incarnation: number): Member | undefined {
    return this.#members.find((member) => member.node === node && member.incarnation === incarnation);
  }

  #check(): void {
    if (this.#members.every(({ reports, isGone }) => isGone || reports.size === 2)) this.#end?.();
  }

  #sum(): Omit<SaveOutcome, 'ms'> {
    let sessions = 0;
    let unsaved = 0;
    for (const member of this.#members) {
      const { expected, lost } = this.#balance(member);
      sessions += expected - lost;
      unsaved += lost;
    }
    return { sessions, unsaved, why: unsaved === 0 ? null : this.#why() };
  }

  /** How many sessions a member was primary of, and how many of them are in no file; at most, when copies were saved in part. */
  #balance({ node, lastPrimary, reports }: Member): { readonly expected: number; readonly lost: number } {
    const own = [...reports.values()];
    const saved = own.reduce((sum, report) => sum + report.sessions, 0);
    const failed = own.reduce((sum, report) => sum + report.unsaved, 0);
    const expected = reports.has('app') ? saved + failed : Math.max(lastPrimary, saved);
    const others = this.#members.flatMap((member) => [member.reports.get('keeper')?.copies[node] ?? 0]);
    const copied = others.reduce((sum, count) => sum + count, 0) / Math.max(1, this.#copies - 1);
    return { expected, lost: Math.max(0, expected - Math.max(saved, Math.floor(copied))) };
  }

  #why(): string {
    const whys = this.#members.flatMap(({ node, reports, isGone }) => {
      const own = [...reports.values()].flatMap(({ why }) => (why === null ? [] : [`${node}: ${why}`]));
      if (own.length > 0) return own.slice(0, 1);
      return reports.has('app') ? [] : [isGone ? `${node} died` : `${node} did not answer`];
    });
    return this.#reason ?? (whys.length === 0 ? 'unknown' : whys.join('; '));
  }
}
