import { emptyHistory, type Happening, type History, stepHistory } from '../../packages/demo/src/load/history.ts';
import type { Answer } from './client.ts';

const answered = (effect: 'add' | 'read', answer: Answer): Happening => ({
  kind: 'answered',
  effect,
  marker: null,
  counter: Number(answer.json().count),
  node: null,
});

/** One session of the counter app: every answer is held against what was acknowledged, and what failed is counted. */
export class CounterCheck {
  #history: History = emptyHistory;
  lost = 0;
  doubled = 0;
  /** Writes of which Limpet said `unknown` or `executed`, or whose connection broke. */
  unknown = 0;
  /** Writes refused as `not-executed`. */
  refused = 0;
  /** Writes that failed in any other way. */
  failedWrites = 0;
  failedReads = 0;
  readonly notes: string[] = [];

  /** An answer to a write that adds one. `null`: the connection broke. */
  wrote(answer: Answer | null): void {
    if (answer?.status === 200) {
      this.#take(answered('add', answer), 'POST');
    } else if (answer?.outcome === 'executed') {
      this.unknown += 1;
      this.#take({ kind: 'ran', effect: 'add' }, 'POST');
    } else if (answer?.outcome === 'not-executed') {
      this.refused += 1;
      this.#note(`POST refused: ${answer.status}`);
    } else {
      this.unknown += 1;
      this.#take({ kind: 'uncertain', effect: 'add' }, 'POST');
      if (answer?.outcome === 'unknown') return;
      this.failedWrites += 1;
      this.#note(`POST failed: ${answer ? `${answer.status} ${answer.body.slice(0, 80)}` : 'connection'}`);
    }
  }

  /** An answer to a read of the counter. `null`: the connection broke. */
  read(answer: Answer | null): void {
    if (answer?.status === 200) {
      this.#take(answered('read', answer), 'GET');
      return;
    }
    this.failedReads += 1;
    this.#note(`GET failed: ${answer ? `${answer.status} ${answer.outcome}` : 'connection'}`);
  }

  /** How many writes it has seen acknowledged, at least. */
  get acknowledged(): number {
    return this.#history.least;
  }

  #take(happening: Happening, what: string): void {
    const { least, most } = this.#history;
    const { history, findings } = stepHistory(this.#history, happening);
    this.#history = history;
    for (const finding of findings) {
      if (finding.kind === 'moved') continue;
      this[finding.kind] += finding.adds;
      this.#note(`${what} says ${history.least}, before it were ${least} to ${most}`);
    }
  }

  #note(text: string): void {
    if (this.notes.length < 5) this.notes.push(text);
  }
}

/** Sums of many sessions. */
export interface Tally {
  readonly sessions: number;
  readonly acknowledged: number;
  readonly failedReads: number;
  readonly refused: number;
  readonly unknown: number;
  readonly failedWrites: number;
  readonly lost: number;
  readonly doubled: number;
  readonly notes: readonly string[];
}

export function tallyOf(checks: readonly CounterCheck[]): Tally {
  const sum = (pick: (check: CounterCheck) => number): number =>
    checks.reduce((total, check) => total + pick(check), 0);
  return {
    sessions: checks.length,
    acknowledged: sum((check) => check.acknowledged),
    failedReads: sum((check) => check.failedReads),
    refused: sum((check) => check.refused),
    unknown: sum((check) => check.unknown),
    failedWrites: sum((check) => check.failedWrites),
    lost: sum((check) => check.lost),
    doubled: sum((check) => check.doubled),
    notes: checks.flatMap((check) => check.notes).slice(0, 20),
  };
}
