import {
  createPlacementRank,
  createRank,
  formatViewNumber,
  numberOf,
  type Rank,
  type SaveReport,
  sipKey,
  type Welcome,
} from '@limpet/core';
import type { Engine, ReplicatedEngine } from '@limpet/session';
import type { Control } from './control.ts';
import { type Custody, reportCustody } from './custody-reports.ts';
import { createMint } from './mint.ts';
import { startReplication } from './replication.ts';
import type { Run } from './run.ts';
import type { ViewFeed } from './view-feed.ts';

/** What the supervisor is told of the sessions here. The keeper tells of the copies itself. */
export interface EngineCounts {
  readonly primary: number;
  readonly buddy: number;
  readonly unprotected: number;
  readonly uncopied: number;
  readonly promoted: number;
  readonly bytes: number;
  readonly unheld: number;
}

/** The engine of this worker, and what the worker's own work needs of it. */
export interface EngineSeat {
  readonly engine: Engine;
  readonly rank: Rank;
  counts(): EngineCounts;
  /** Full stop: writes what the app's loop holds to its file. */
  save(limitMs: number): Promise<SaveReport>;
  /** The same of both sides, where no supervisor tells the keeper to. */
  saveAll(limitMs: number): Promise<void>;
}

/**
 * Builds the engine and starts the keeper. Resolves when both can serve. The store `memory` is the same engine in a
 * cluster whose views ask for one copy: nothing is sent to a buddy, and a join still hands sessions over.
 */
export async function createEngine(
  welcome: Welcome,
  run: Run & { readonly version: string },
  views: ViewFeed,
  control: Control,
): Promise<EngineSeat> {
  const rankKey = sipKey(welcome.rankKey);
  const rank = createRank(rankKey);
  const mint = createMint(run.node, createPlacementRank(rankKey), welcome.macKeys.map(sipKey), () => views.current);
  let lookAtCustody = (): void => {};
  const { engine, enter, save, saveCopies } = await startReplication({
    ...run,
    welcome,
    rank,
    mint,
    done(view) {
      // Whoever hears that all copies are there has heard where they are.
      lookAtCustody();
      control.send({ kind: 'done', view });
    },
  });
  lookAtCustody = reportCustody(
    () => custodyOf(engine),
    (report) => control.send({ kind: 'custody', ...report }),
  );
  if (views.current !== null) enter(views.current);
  views.subscribe((fresh) => {
    for (const view of fresh) enter(view);
    lookAtCustody();
  });
  return {
    engine,
    rank,
    counts: () => ({ ...engine.count(), buddy: 0, promoted: 0, unheld: engine.unheld }),
    save,
    async saveAll(limitMs) {
      await Promise.all([save(limitMs), saveCopies(limitMs)]);
    },
  };
}

function custodyOf(engine: ReplicatedEngine): Custody | null {
  if (engine.view === null) return null;
  const view = numberOf(engine.view);
  const { holdings, changes } = engine.custody;
  return { view, holdings, orphans: 0, changes: `${formatViewNumber(view)} ${changes}` };
}
