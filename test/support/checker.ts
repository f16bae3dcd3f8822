import type { Answer } from './client.ts';

/**
 * What one session's counter may be, by what was acknowledged: at least every acknowledged write, at most those and the ones
 * whose outcome nobody could know.
 */
export class CounterCheck {
  #least = 0;
  #most = 0;
  lost = 0;
  doubled = 0;
  /** Writes of which Limpet said `unknown`, or whose connection broke. */
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
      this.#least += 1;
      this.#most += 1;
      this.#compare(Number(answer.json().count), 'POST');
    } else if (answer?.outcome === 'executed') {
      // It ran and its answer is lost: it must be in the count.
      this.unknown += 1;
      this.#least += 1;
      this.#most += 1;
    } else if (answer?.outcome === 'not-executed') {
      this.refused += 1;
      this.#note(`POST refused: ${answer.status}`);
    } else {
      this.unknown += 1;
      this.#most += 1;
      if (answer?.outcome === 'unknown') return;
      this.failedWrites += 1;
      this.#note(`POST failed: ${answer ? `${answer.status} ${answer.body.slice(0, 80)}` : 'connection'}`);
    }
  }

  /** An answer to a read of the counter. `null`: the connection broke. */
  read(answer: Answer | null): void {
    if (answer?.status !== 200) {
      this.failedReads += 1;
      this.#note(`GET failed: ${answer ? `${answer.status} ${answer.outcome}` : 'connection'}`);
      return;
    }
    this.#compare(Number(answer.json().count), 'GET');
  }

  /** How many writes it has seen acknowledged, at least. */
  get acknowledged(): number {
    return this.#least;
  }

  #compare(count: number, what: string): void {
    if (count < this.#least) {
      this.lost += this.#least - count;
      this.#note(`${what} says ${count}, acknowledged were ${this.#least}`);
      // A loss is counted once: the range moves down to what was seen.
      this.#most -= this.#least - count;
      this.#least = count;
    } else if (count > this.#most) {
      this.doubled += count - this.#most;
      this.#note(`${what} says ${count}, at most ${this.#most} were written`);
      this.#least = count;
      this.#most = count;
    } else {
      // What was shown is acknowledged. A write of unknown outcome may still come: the upper end stays.
      this.#least = count;
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
