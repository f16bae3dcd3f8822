import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AnomalyKind } from './anomaly.ts';
import { checkHistory, type Entry, type History } from './history.ts';
import { applyOperation, formatState, type Operation, type State } from './model.ts';

const folder = new URL('./histories/', import.meta.url);
const stored = (kind: 'good' | 'bad'): readonly (readonly [string, History])[] =>
  readdirSync(new URL(`${kind}/`, folder)).map((name) => [
    name.replace('.json', ''),
    JSON.parse(readFileSync(new URL(`${kind}/${name}`, folder), 'utf8')),
  ]);

/** What each stored bad history is bad by, as the report names it. */
const names: Readonly<Record<string, AnomalyKind>> = {
  'answer-of-another-request': 'lost',
  'doubled-after-unknown': 'doubled',
  'doubled-append': 'doubled',
  'doubled-increment': 'doubled',
  'executed-but-absent': 'lost',
  'foreign-value': 'foreign',
  forked: 'lost',
  'lost-append': 'lost',
  'lost-session': 'lost-session',
  'lost-write': 'lost',
  'non-monotonic-read': 'lost',
  reordered: 'reordered',
  'replaced-by-another': 'foreign',
  resurrected: 'resurrected',
  'stale-read': 'lost',
  'too-early': 'doubled',
  torn: 'lost',
  'unacknowledged-then-vanished': 'doubled',
};

describe('stored histories', () => {
  test.each(stored('bad'))('%s: rejected, and by its name', (name, history) => {
    expect(checkHistory(history)[0]?.kind).toBe(names[name]);
  });

  test('every bad history has its name here', () => {
    expect(stored('bad').map(([name]) => name)).toEqual(Object.keys(names).sort());
  });

  test.each(stored('good'))('%s: accepted', (_, history) => {
    expect(checkHistory(history)).toEqual([]);
  });
});

const initial: State = { user: 'ann', counter: 0, list: [] };
const operations: readonly Operation[] = [
  { kind: 'add' },
  { kind: 'append', value: 'x' },
  { kind: 'append', value: 'y' },
  { kind: 'read' },
  { kind: 'logout' },
];

interface Plan {
  readonly operation: Operation;
  readonly from: number;
  readonly takes: number;
  /** Where between invocation and end the effect is. */
  readonly at: number;
  readonly fate: 'answered' | 'ran' | 'unknown, ran' | 'unknown, ran late' | 'unknown' | 'refused';
}

const plans = fc.array(
  fc.record<Plan>({
    operation: fc.constantFrom(...operations),
    from: fc.integer({ min: 0, max: 60 }),
    takes: fc.integer({ min: 1, max: 25 }),
    at: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
    fate: fc.constantFrom(
      'answered',
      'answered',
      'answered',
      'ran',
      'unknown, ran',
      'unknown, ran late',
      'unknown',
      'refused',
    ),
  }),
  { maxLength: 6 },
);

/** The history that a perfect server makes of the plans. */
function play(planned: readonly Plan[]): History {
  let state: State = initial;
  const shown = new Map<Plan, State>();
  const effectAt = ({ from, takes, at, fate }: Plan): number =>
    from + takes * at + (fate === 'unknown, ran late' ? 30 : 0);
  for (const plan of [...planned].sort((a, b) => effectAt(a) - effectAt(b))) {
    if (plan.fate === 'refused' || plan.fate === 'unknown') continue;
    const effect = applyOperation(state, plan.operation);
    state = effect.after;
    shown.set(plan, effect.shown);
  }
  const entries = planned.map((plan): Entry => {
    const { operation, from, takes, fate } = plan;
    const entry = { operation, invokedAt: from, endedAt: from + takes };
    if (fate === 'answered') return { ...entry, ending: { kind: 'answered', shown: shown.get(plan) ?? null } };
    return { ...entry, ending: { kind: fate === 'ran' || fate === 'refused' ? fate : 'unknown' } };
  });
  return { initial, entries };
}

/** The definition itself: is there any order, of all that ran and any of the unknown, that respects time and explains every answer? */
function isLinearizable({ initial: begin, entries }: History): boolean {
  const explain = (state: State, left: readonly Entry[]): boolean => {
    if (left.every(({ ending }) => ending.kind === 'unknown' || ending.kind === 'refused')) return true;
    return left.some((entry) => {
      const { ending, operation } = entry;
      if (ending.kind === 'refused') return false;
      // Nothing that had ended before this one began may come after it.
      if (left.some((o) => o.ending.kind !== 'unknown' && o.ending.kind !== 'refused' && o.endedAt < entry.invokedAt))
        return false;
      const { after, shown } = applyOperation(state, operation);
      if (ending.kind === 'answered' && formatState(shown) !== formatState(ending.shown)) return false;
      return explain(
        after,
        left.filter((o) => o !== entry),
      );
    });
  };
  return explain(begin, entries);
}

describe('any history', () => {
  test('of a perfect server: accepted', () => {
    fc.assert(
      fc.property(plans, (planned) => checkHistory(play(planned)).length === 0),
      { numRuns: 2_000 },
    );
  });

  test('with one answer changed: judged as the definition says', () => {
    const spoilt = fc.tuple(
      plans,
      fc.nat(),
      fc.constantFrom<State>(null, initial, { ...initial, counter: 1 }, { ...initial, list: ['x'] }),
    );
    let rejected = 0;
    fc.assert(
      fc.property(spoilt, ([planned, at, shown]) => {
        const history = play(planned);
        const entries = history.entries.map(
          (entry, index): Entry =>
            index === at % Math.max(1, planned.length) ? { ...entry, ending: { kind: 'answered', shown } } : entry,
        );
        const isGood = isLinearizable({ ...history, entries });
        if (!isGood) rejected += 1;
        expect(checkHistory({ ...history, entries }).length === 0).toBe(isGood);
      }),
      { numRuns: 2_000 },
    );
    expect(rejected).toBeGreaterThan(200);
  });

  test('with many requests at once and of unknown end: the search is bounded, and says when it gave up', () => {
    const entries = Array.from(
      { length: 12 },
      (_, index): Entry => ({
        operation: { kind: 'append', value: `v${index}` },
        invokedAt: index,
        endedAt: 100,
        ending: { kind: 'unknown' },
      }),
    );
    const read = { operation: { kind: 'read' }, invokedAt: 200, endedAt: 201 } as const;
    const impossible: Entry = { ...read, ending: { kind: 'answered', shown: { ...initial, list: ['nobody'] } } };
    expect(checkHistory({ initial, entries: [...entries, impossible] }).map(({ kind }) => kind)).toEqual(['undecided']);
  });
});
