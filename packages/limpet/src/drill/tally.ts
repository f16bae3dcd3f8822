import { unreachable } from '@limpet/core';
import type { Anomaly } from './anomaly.ts';
import type { FaultKind } from './fault-kinds.ts';
import type { Ending, Entry } from './history.ts';
import { Samples } from './samples.ts';

/** Notes and proofs kept; the counts go on. */
const notesMax = 20;
const evidenceMax = 20;

/** One impossible answer, and the requests of its session before it. */
export interface Evidence {
  readonly anomaly: Anomaly;
  readonly user: string;
  readonly entries: readonly Entry[];
}

/** What the clients of a drill have seen. */
export class Tally {
  requests = 0;
  /** GETs that did not get their answer, whatever a browser would have tried. */
  failedIdempotent = 0;
  /** GETs that met two deaths at once and were answered 502 `unknown`, as P21 says: no third node is risked. */
  metTwoDeaths = 0;
  /** Writes that were acknowledged. */
  acknowledged = 0;
  /** Writes under an Idempotency-Key, sent again until their answer came. */
  keyed = 0;
  /** Writes answered `not-executed`: nothing was lost, the client had to send them again. */
  refused = 0;
  /** Writes of which nobody can say whether they ran. */
  unknown = 0;
  /** Writes that ran and whose answer was lost. */
  executed = 0;
  /** Exchanges that ended with the balancer that carried them. */
  cutByBalancer = 0;
  lostWrites = 0;
  doubledEffects = 0;
  lostSessions = 0;
  /** Answers that no order of events explains, beyond the three above. */
  otherAnomalies = 0;
  /** Answers that were not checked, as too many orders were possible. */
  undecided = 0;
  /** Answers checked against the history of their session. */
  checked = 0;
  sessions = 0;
  readonly latency = new Samples();
  /** Writes that were not acknowledged, by how they ended and the fault made last. */
  readonly unacknowledged = new Map<FaultKind | 'none', Record<'unknown' | 'ran' | 'refused', number>>();
  #fault: FaultKind | 'none' = 'none';
  readonly notes: string[] = [];
  readonly evidence: Evidence[] = [];

  /** From now on this is the fault made last. */
  begin(fault: FaultKind): void {
    this.#fault = fault;
  }

  /** A write has ended. */
  wrote({ kind }: Ending): void {
    if (kind === 'answered') {
      this.acknowledged += 1;
      return;
    }
    if (kind === 'refused') this.refused += 1;
    else if (kind === 'ran') this.executed += 1;
    else this.unknown += 1;
    const counts = this.unacknowledged.get(this.#fault) ?? { unknown: 0, ran: 0, refused: 0 };
    counts[kind] += 1;
    this.unacknowledged.set(this.#fault, counts);
  }

  note(text: string): void {
    if (this.notes.length < notesMax) this.notes.push(this.#fault === 'none' ? text : `after ${this.#fault}: ${text}`);
  }

  add(anomaly: Anomaly, user: string, entries: readonly Entry[]): void {
    if (this.evidence.length < evidenceMax) this.evidence.push({ anomaly, user, entries });
    switch (anomaly.kind) {
      case 'lost':
        this.lostWrites += anomaly.count;
        return;
      case 'doubled':
        this.doubledEffects += anomaly.count;
        return;
      case 'lost-session':
        this.lostSessions += anomaly.count;
        return;
      case 'undecided':
        this.undecided += 1;
        return;
      case 'resurrected':
      case 'foreign':
      case 'reordered':
      case 'torn':
        this.otherAnomalies += 1;
        return;
      default:
        unreachable(anomaly.kind);
    }
  }

  /** Nothing was lost, doubled or failed, and something was looked at. */
  get isWhole(): boolean {
    const { failedIdempotent, lostWrites, doubledEffects, lostSessions, otherAnomalies, undecided } = this;
    return (
      failedIdempotent + lostWrites + doubledEffects + lostSessions + otherAnomalies + undecided === 0 &&
      this.checked > 0
    );
  }
}
