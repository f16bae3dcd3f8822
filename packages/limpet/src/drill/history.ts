import type { Anomaly } from './anomaly.ts';
import { Linearizer } from './linearizer.ts';
import type { Operation, State } from './model.ts';

/** How one request of a session ended. */
export type Ending =
  | { readonly kind: 'answered'; readonly shown: State }
  /** It ran, its answer is lost. */
  | { readonly kind: 'ran' }
  /** It may have run or not, or may still run. */
  | { readonly kind: 'unknown' }
  /** Certain that it did not run. */
  | { readonly kind: 'refused' };

/** One request of a session as its client saw it. Times are milliseconds on one clock. */
export interface Entry {
  readonly operation: Operation;
  readonly invokedAt: number;
  /** When its end was known. */
  readonly endedAt: number;
  readonly ending: Ending;
}

/** All requests of one session, which began as `initial` (null: not there). */
export interface History {
  readonly initial: State;
  readonly entries: readonly Entry[];
}

/** Everything that cannot be in the history of one session, in the order of the answers that showed it. */
export function checkHistory({ initial, entries }: History): readonly Anomaly[] {
  const linearizer = new Linearizer(initial);
  const numbers = new Map<Entry, number>();
  const anomalies: Anomaly[] = [];
  // At equal times the invocation goes first: overlapping allows more, so a doubt never becomes an alarm.
  const moments = entries
    .flatMap((entry) => [
      { at: entry.invokedAt, order: 0, entry },
      { at: entry.endedAt, order: 1, entry },
    ])
    .sort((a, b) => a.at - b.at || a.order - b.order);
  for (const { order, entry } of moments) {
    if (order === 0) {
      numbers.set(entry, linearizer.invoke(entry.operation));
      continue;
    }
    const id = numbers.get(entry);
    const anomaly = id === undefined ? null : endOperation(linearizer, id, entry.ending);
    if (anomaly !== null) anomalies.push(anomaly);
  }
  return anomalies;
}

/** Tells the linearizer how the operation ended. */
export function endOperation(linearizer: Linearizer, id: number, ending: Ending): Anomaly | null {
  switch (ending.kind) {
    case 'answered':
      return linearizer.returned(id, ending.shown);
    case 'ran':
      return linearizer.ran(id);
    case 'refused':
      return linearizer.refused(id);
    case 'unknown':
      linearizer.lost(id);
      return null;
  }
}
