import type { Side, ViewNumber } from '@limpet/core';

/** What one side of a worker last said about itself. */
export interface SideStats {
  readonly view: ViewNumber | null;
  readonly primary: number;
  readonly buddy: number;
  readonly unprotected: number;
  readonly uncopied: number;
  readonly inFlight: number;
  readonly promoted: number;
  readonly bytes: number;
  readonly unheld: number;
}

export type WorkerStats = Readonly<Partial<Record<Side, SideStats>>>;

/** One figure of a worker: what its sides count apart is added up. */
export const total = (stats: WorkerStats, figure: Exclude<keyof SideStats, 'view'>): number =>
  (stats.app?.[figure] ?? 0) + (stats.keeper?.[figure] ?? 0);
