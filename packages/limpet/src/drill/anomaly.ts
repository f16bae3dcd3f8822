import { formatState, type Operation, type State } from './model.ts';

/** What an impossible answer means to the person whose session it is. */
export type AnomalyKind =
  /** Acknowledged additions or values are gone, or were not there yet for someone who had seen them. */
  | 'lost'
  /** Effects that nobody asked for. */
  | 'doubled'
  /** The whole session is gone. */
  | 'lost-session'
  /** It is back after it was ended. */
  | 'resurrected'
  /** Somebody else's session, or values of one. */
  | 'foreign'
  | 'reordered'
  /** Every part of it was possible, not all of them together. */
  | 'torn'
  /** Too many orders were possible to look at all of them: nothing is known. */
  | 'undecided';

export interface Anomaly {
  readonly kind: AnomalyKind;
  /** How many effects, at least. */
  readonly count: number;
  readonly text: string;
}

/** Names what is wrong with an answer. `expected`: every answer that would have been possible. */
export function classifyAnomaly(operation: Operation, expected: readonly State[], shown: State): Anomaly {
  const possible = [...new Set(expected.map(formatState))].slice(0, 4).join(' or ');
  const text = `${operation.kind} showed ${formatState(shown)}, possible was ${possible}`;
  const held = expected.filter((state) => state !== null);
  if (shown === null) return { kind: 'lost-session', count: 1, text };
  if (held.length === 0) return { kind: 'resurrected', count: 1, text };
  if (held.every(({ user }) => user !== shown.user)) return { kind: 'foreign', count: 1, text };
  const few = Math.min(...held.map(({ counter }) => counter)) - shown.counter;
  const missing = Math.min(...held.map(({ list }) => list.filter((value) => !shown.list.includes(value)).length));
  if (few > 0 || missing > 0) return { kind: 'lost', count: Math.max(few, 0) + missing, text };
  const many = shown.counter - Math.max(...held.map(({ counter }) => counter));
  const repeated = shown.list.length - new Set(shown.list).size;
  if (many > 0 || repeated > 0) return { kind: 'doubled', count: Math.max(many, 0) + repeated, text };
  const known = new Set(held.flatMap(({ list }) => list));
  if (shown.list.some((value) => !known.has(value))) return { kind: 'foreign', count: 1, text };
  const lists = new Set(held.map(({ list }) => list.join(' ')));
  return { kind: lists.has(shown.list.join(' ')) ? 'torn' : 'reordered', count: 1, text };
}
