import { type KeyName, parseKeyName, type RequestId, type SessionId } from './ids.ts';
import { findKept, keptBy } from './kept.ts';
import { type Cluster, rank, type Worker } from './model-cluster.test-suite.ts';
import type { WorkingRecord } from './record.ts';

export interface Tally {
  acknowledged: number;
  unknown: number;
  readonly values: number[];
}

/**
 * Adds 1 per operation, one operation at a time. An attempt that a death cut off is repeated under the same request id, as a balancer
 * does. A keyed client is one that repeats by itself, after a death and when the outcome is unknown: each time under a new
 * request id, always under the operation's key.
 */
export class Client {
  finished = 0;
  stuck = '';
  readonly cluster: Cluster;
  readonly id: SessionId;
  readonly tally: Tally;
  readonly operations: number;
  readonly isKeyed: boolean;
  #key: KeyName | null = null;

  constructor(cluster: Cluster, id: SessionId, tally: Tally, operations: number, isKeyed: boolean) {
    this.cluster = cluster;
    this.id = id;
    this.tally = tally;
    this.operations = operations;
    this.isKeyed = isKeyed;
    cluster.at(cluster.random() * 20, () => this.next());
  }

  next(): void {
    if (this.finished >= this.operations) return;
    const request = this.cluster.requestId();
    // A name of its own is all a key is: that of the operation's first request does.
    this.#key = this.isKeyed ? parseKeyName(request.slice(-22)) : null;
    this.attempt(request, 1);
  }

  attempt(request: RequestId, attempt: number): void {
    const { cluster, id } = this;
    const view = cluster.balancerView;
    const again = (n: number) => {
      const next = this.isKeyed && n > attempt ? cluster.requestId() : request;
      cluster.at(1 + cluster.random() * 3, () => this.attempt(next, n));
    };
    const primary = view ? rank(id, view.ring, view.members)[0] : undefined;
    const worker = primary ? cluster.workers.get(primary) : undefined;
    if (!worker?.alive || !worker.primary.isPrimary(id)) {
      again(attempt);
      return;
    }
    this.stuck = `${worker.id} ${request.slice(-4)} open`;
    // The connection ends with the worker: the attempt is repeated at the next primary.
    let over = false;
    const watch = () => {
      if (over) return;
      if (worker.alive) cluster.at(2, watch);
      else {
        over = true;
        again(attempt + 1);
      }
    };
    watch();
    const answer = (value: number) => {
      over = true;
      cluster.stepPrimary(worker, { kind: 'close', id, request });
      this.tally.acknowledged += 1;
      this.tally.values.push(value);
      this.finished += 1;
      this.next();
    };
    const unknown = () => {
      over = true;
      cluster.stepPrimary(worker, { kind: 'close', id, request });
      if (this.isKeyed) {
        again(attempt + 1);
        return;
      }
      this.tally.unknown += 1;
      this.finished += 1;
      this.next();
    };
    cluster.ask(
      worker,
      (token) => ({ kind: 'open', id, request, token }),
      (opened) => {
        if (over) return;
        if (opened.kind === 'moved') {
          over = true;
          cluster.stepPrimary(worker, { kind: 'close', id, request });
          again(attempt);
          return;
        }
        if (opened.kind !== 'opened') throw new Error(opened.kind);
        const kept = this.#key && opened.record && findKept(opened.record.kept, this.#key, cluster.nowMs);
        const logged = kept ?? (attempt > 1 ? worker.primary.logged(id, request) : null);
        if (logged) {
          this.stuck = `${worker.id} ${request.slice(-4)} logged`;
          cluster.ask(
            worker,
            (token) => ({ kind: 'safe', id, request, token }),
            (effect) => {
              if (over) return;
              if (effect.kind !== 'settled' || effect.settled.kind !== 'safe' || !logged.answer) unknown();
              else answer(new Uint32Array(logged.answer.slice().buffer)[0] ?? -1);
            },
          );
          return;
        }
        cluster.at(cluster.random() < 0.2 ? 60 * cluster.random() : 2 * cluster.random(), () => {
          if (!over && worker.alive) this.commit(worker, opened.record, request, answer, unknown, () => over);
        });
      },
    );
  }

  commit(
    worker: Worker,
    record: WorkingRecord | null,
    request: RequestId,
    answer: (value: number) => void,
    unknown: () => void,
    over: () => boolean,
  ): void {
    const { cluster, id } = this;
    this.stuck = `${worker.id} ${request.slice(-4)} commit`;
    if (!record)
      throw new Error(`seed ${cluster.options.seed}: session lost: ${id} at ${worker.id}, ${cluster.nowMs} ms`);
    const old = record.attributes.get('n');
    const value = (old ? (new Uint32Array(old.slice().buffer)[0] ?? 0) : 0) + 1;
    const encoded = new Uint8Array(new Uint32Array([value]).buffer);
    const keyed = this.#key && { key: this.#key, print: '' };
    const commit = {
      request,
      ordinal: 1,
      change: { set: new Map([['n', encoded]]), remove: [] },
      destroy: false,
      carries: [],
      answer: encoded,
      kept: keptBy({ request, keyed, answer: encoded }, [], Number.POSITIVE_INFINITY),
      create: null,
      bury: null,
      at: cluster.nowMs,
    };
    cluster.ask(
      worker,
      (token) => ({ kind: 'commit', id, commit, token }),
      (effect) => {
        if (over() || effect.kind !== 'settled') return;
        if (effect.settled.kind === 'safe') answer(value);
        else unknown();
      },
    );
  }
}
