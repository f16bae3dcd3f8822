import { assert } from '@limpet/core';
import { type Anomaly, classifyAnomaly } from './anomaly.ts';
import { applyOperation, formatState, isRead, type Operation, type State } from './model.ts';

/** Orders of events looked at for one answer. Above it the search is given up, and said so. */
const configurationsMax = 4_096;

/** One way in which everything so far can have happened. */
interface Configuration {
  readonly state: State;
  /** Operations under way, or of unknown end, that have taken effect: what each must show if it ever answers. */
  readonly done: ReadonlyMap<number, string>;
}

/**
 * Checks one session's history for linearizability while it is being made: every operation must have taken effect at
 * one moment between its invocation and its answer, and every answer must show the session as it was then. An operation
 * of unknown end may have taken effect at any moment since its invocation, may do so later, or never.
 *
 * Just-in-time linearization (Lowe, "Testing for linearizability", 2017) with memoised configurations as in Wing and Gong's
 * search: an operation is given its moment only when an answer needs it. Between two quiescent points nothing is kept but the possible states,
 * so memory does not grow with the history.
 */
export class Linearizer {
  #configurations: readonly Configuration[];
  /** Operations that may still take effect. */
  readonly #open = new Map<number, Operation>();
  readonly #unknown = new Set<number>();
  #next = 0;

  constructor(initial: State = null) {
    this.#configurations = [{ state: initial, done: new Map() }];
  }

  /** Operations of unknown end whose effect nothing has shown yet. Each doubles the work of what follows. */
  get undecided(): number {
    return this.#unknown.size;
  }

  /** The client sends a request. The number names it until its end. */
  invoke(operation: Operation): number {
    const id = this.#next++;
    this.#open.set(id, operation);
    return id;
  }

  /** It was answered, and showed `shown`. Null: that can be; else what is wrong. The history goes on from what was shown. */
  returned(id: number, shown: State): Anomaly | null {
    return this.#settle(id, formatState(shown), shown);
  }

  /** It ran, but its answer was lost on the way. */
  ran(id: number): Anomaly | null {
    return this.#settle(id, null, null);
  }

  /** Certain that it never ran. */
  refused(id: number): Anomaly | null {
    const operation = this.#take(id);
    this.#open.delete(id);
    const left = this.#configurations.filter(({ done }) => !done.has(id));
    if (left.length > 0) {
      this.#configurations = left;
      return null;
    }
    this.#configurations = without(this.#configurations, id);
    return {
      kind: 'doubled',
      count: 1,
      text: `${operation.kind} was refused as not executed, but its effect was seen`,
    };
  }

  /** No answer came, or one that leaves it open whether it ran. */
  lost(id: number): void {
    const operation = this.#take(id);
    if (isRead(operation)) {
      this.#open.delete(id);
      this.#configurations = without(this.#configurations, id);
      return;
    }
    this.#unknown.add(id);
    this.#forgetSettled();
  }

  #settle(id: number, wanted: string | null, shown: State): Anomaly | null {
    const operation = this.#take(id);
    const search = this.#search(id, operation, wanted);
    this.#open.delete(id);
    if (search.kind === 'found') {
      this.#configurations = search.configurations;
      this.#forgetSettled();
      return null;
    }
    // From here on the history is that of what was shown, so that one fault is reported once.
    const after = operation.kind === 'logout' || wanted === null ? null : shown;
    this.#configurations = [{ state: after, done: new Map() }];
    if (search.kind === 'given up') {
      return { kind: 'undecided', count: 1, text: `more than ${configurationsMax} orders are possible` };
    }
    return classifyAnomaly(operation, search.expected, shown);
  }

  /** All ways in which `id` has taken effect and shows what is wanted; the others on the way there are what was expected. */
  #search(id: number, operation: Operation, wanted: string | null): Search {
    const found = new Map<string, Configuration>();
    const seen = new Set<string>();
    const expected: State[] = [];
    const stack = [...this.#configurations];
    for (let from = stack.pop(); from !== undefined; from = stack.pop()) {
      const early = from.done.get(id);
      if (early !== undefined) {
        if (wanted === null || early === wanted) keep(found, { state: from.state, done: remove(from.done, id) });
        else expected.push(from.state);
        continue;
      }
      const { after, shown } = applyOperation(from.state, operation);
      if (wanted === null || formatState(shown) === wanted) keep(found, { state: after, done: from.done });
      else expected.push(shown);
      for (const [other, open] of this.#open) {
        if (other === id || from.done.has(other)) continue;
        const effect = applyOperation(from.state, open);
        const to = { state: effect.after, done: new Map([...from.done, [other, formatState(effect.shown)]]) };
        const key = formatConfiguration(to);
        if (seen.has(key)) continue;
        if (seen.size >= configurationsMax) return { kind: 'given up' };
        seen.add(key);
        stack.push(to);
      }
    }
    return found.size > 0 ? { kind: 'found', configurations: [...found.values()] } : { kind: 'impossible', expected };
  }

  /** An unknown operation that every possible past contains is part of the state now. */
  #forgetSettled(): void {
    for (const id of this.#unknown) {
      if (!this.#configurations.every(({ done }) => done.has(id))) continue;
      this.#unknown.delete(id);
      this.#open.delete(id);
      this.#configurations = without(this.#configurations, id);
    }
  }

  #take(id: number): Operation {
    const operation = this.#open.get(id);
    assert(operation !== undefined && !this.#unknown.has(id), 'an operation ends once');
    return operation;
  }
}

type Search =
  | { readonly kind: 'found'; readonly configurations: readonly Configuration[] }
  | { readonly kind: 'impossible'; readonly expected: readonly State[] }
  | { readonly kind: 'given up' };

const formatConfiguration = ({ state, done }: Configuration): string =>
  `${formatState(state)}|${[...done]
    .sort(([a], [b]) => a - b)
    .map(([id, shown]) => `${id}=${shown}`)
    .join('|')}`;

function keep(found: Map<string, Configuration>, configuration: Configuration): void {
  found.set(formatConfiguration(configuration), configuration);
}

function remove(done: ReadonlyMap<number, string>, id: number): ReadonlyMap<number, string> {
  const left = new Map(done);
  left.delete(id);
  return left;
}

/** The same, with the operation's moment no longer told apart from the state. */
function without(configurations: readonly Configuration[], id: number): readonly Configuration[] {
  const left = new Map<string, Configuration>();
  for (const { state, done } of configurations) keep(left, { state, done: done.has(id) ? remove(done, id) : done });
  return [...left.values()];
}
