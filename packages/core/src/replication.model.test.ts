import { describe, expect, test } from 'vitest';
import { CopyMachine } from './copy.ts';
import { type NodeId, nodeIdAt, type RequestId } from './ids.ts';
import { Membership, type MembershipEffect } from './membership.ts';
import type { FromCopySide, FromOwnKeeper, ToCopySide, ToOwnKeeper } from './messages.ts';
import { type PrimaryEffect, type PrimaryEvent, PrimaryMachine } from './primary.ts';
import { createRank } from './rank.ts';
import type { WorkingRecord } from './record.ts';
import { formatSessionId } from './session-id.ts';
import { sipKey } from './siphash.ts';
import type { View } from './view.ts';

/** A small whole cluster on one thread, from a seed: the machines of this package, joined by slow ordered links. */

function dice(seed: number): () => number {
  let state = seed + 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const key = sipKey(new Uint8Array(16).fill(7));
const rank = createRank(key);

class Worker {
  readonly primary: PrimaryMachine;
  readonly copy: CopyMachine;
  alive = true;
  readonly waiting = new Map<number, (effect: PrimaryEffect) => void>();
  readonly dialled = new Map<NodeId, number>();
  constructor(
    readonly id: NodeId,
    readonly incarnation: number,
  ) {
    this.primary = new PrimaryMachine({ self: id, incarnation, rank, idleMs: 1e9 });
    this.copy = new CopyMachine({ self: id, rank });
  }
}

interface Options {
  readonly seed: number;
  readonly kills: number;
  readonly copies: number;
  readonly nodes: number;
}

class Cluster {
  nowMs = 0;
  readonly random: () => number;
  #queue: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  readonly #channels = new Map<string, number>();
  readonly workers = new Map<NodeId, Worker>();
  readonly membership: Membership;
  readonly #views: View[] = [];
  /** Every session has its copies since the last death: the next one may come. */
  protected = true;
  #undetected = 0;
  settledWhole = false;
  #token = 0;
  #requests = 0;
  balancerView: View | null = null;
  readonly options: Options;

  constructor(options: Options) {
    this.options = options;
    this.random = dice(options.seed);
    const wanted = Array.from({ length: options.nodes }, (_, i) => nodeIdAt(i + 1));
    this.membership = new Membership({ term: 1, copies: options.copies, keyId: 1, wanted });
    for (const id of wanted) this.start(id, 1);
  }

  at(delay: number, run: () => void): void {
    this.#order += 1;
    this.#queue.push({ at: this.nowMs + delay, order: this.#order, run });
  }

  /** Delivery in order within a channel, at random speed; now and then very slow. */
  send(channel: string, run: () => void): void {
    const delay = this.random() < 0.02 ? 30 * this.random() : 0.05 + this.random();
    const at = Math.max(this.nowMs + delay, (this.#channels.get(channel) ?? 0) + 0.001);
    this.#channels.set(channel, at);
    this.at(at - this.nowMs, run);
  }

  run(untilMs: number, done: () => boolean): boolean {
    while (this.nowMs < untilMs) {
      if (done()) return true;
      let best = -1;
      for (let i = 0; i < this.#queue.length; i += 1) {
        const item = this.#queue[i];
        const first = this.#queue[best];
        if (item && (!first || item.at < first.at || (item.at === first.at && item.order < first.order))) best = i;
      }
      const [next] = best < 0 ? [] : this.#queue.splice(best, 1);
      if (!next) return done();
      this.nowMs = Math.max(this.nowMs, next.at);
      next.run();
    }
    return done();
  }

  start(id: NodeId, incarnation: number): void {
    const worker = new Worker(id, incarnation);
    this.workers.set(id, worker);
    for (const view of this.#views) this.deliverView(worker, view);
    this.at(5 + 30 * this.random(), () => {
      if (worker.alive) this.supervise({ kind: 'ready', node: id, incarnation, weight: 1 });
    });
    const tick = () => {
      if (!worker.alive) return;
      this.stepPrimary(worker, { kind: 'tick' });
      this.perform(worker, worker.copy.step({ kind: 'tick' }, this.nowMs));
      this.at(50, tick);
    };
    tick();
  }

  supervise(event: Parameters<Membership['step']>[0]): void {
    for (const effect of this.membership.step(event, this.nowMs)) this.published(effect);
  }

  published(effect: MembershipEffect): void {
    if (effect.kind === 'settled') {
      this.protected = this.#undetected === 0;
      this.settledWhole = this.protected && effect.whole;
      return;
    }
    const before = this.#views.at(-1);
    if (before?.next && !effect.view.next && effect.deaths.length === 0) this.protected = this.#undetected === 0;
    this.settledWhole = false;
    this.#views.push(effect.view);
    for (const worker of this.workers.values()) this.deliverView(worker, effect.view);
    this.send('balancer', () => {
      this.balancerView = effect.view;
    });
    this.at(1, () => this.supervise({ kind: 'tick' }));
  }

  deliverView(worker: Worker, view: View): void {
    const name = `${worker.id}.${worker.incarnation}`;
    this.send(`view app ${name}`, () => {
      if (!worker.alive) return;
      this.stepPrimary(worker, { kind: 'view', view });
      for (const member of Object.values(view.members)) {
        if (member.id === worker.id || worker.dialled.get(member.id) === member.incarnation) continue;
        worker.dialled.set(member.id, member.incarnation);
        const { id, incarnation } = member;
        this.at(this.random() * 5, () => {
          if (worker.alive) this.stepPrimary(worker, { kind: 'link', member: id, incarnation, up: true });
        });
      }
    });
    this.send(`view copy ${name}`, () => {
      if (worker.alive) this.perform(worker, worker.copy.step({ kind: 'view', view }, this.nowMs));
    });
  }

  stepPrimary(worker: Worker, event: PrimaryEvent): void {
    const own = `own ${worker.id}.${worker.incarnation}`;
    for (const effect of worker.primary.step(event, this.nowMs)) {
      switch (effect.kind) {
        case 'send':
          this.toCopy(worker, effect.to, effect.message);
          break;
        case 'own':
          this.send(`${own} down`, () => this.ownToCopy(worker, effect.message));
          break;
        case 'more':
          this.at(0.2, () => worker.alive && this.stepPrimary(worker, { kind: 'sweep', budget: 3 }));
          break;
        case 'done':
          this.report(worker, 'app', effect.view);
          break;
        default: {
          const wait = worker.waiting.get(effect.token);
          worker.waiting.delete(effect.token);
          this.at(0, () => worker.alive && wait?.(effect));
        }
      }
    }
  }

  report(worker: Worker, side: 'app' | 'keeper', view: { term: number; number: number }): void {
    const { id: node, incarnation } = worker;
    this.send(`report ${node} ${side}`, () => this.supervise({ kind: 'done', node, incarnation, side, view }));
  }

  toCopy(from: Worker, to: NodeId, message: ToCopySide): void {
    const target = this.workers.get(to);
    if (!target) return;
    const copied = structuredClone(message);
    this.send(`${from.id}.${from.incarnation} → ${to}.${target.incarnation}`, () => {
      if (target.alive)
        this.perform(target, target.copy.step({ kind: 'message', from: from.id, message: copied }, this.nowMs));
    });
  }

  ownToCopy(worker: Worker, message: ToOwnKeeper | ToCopySide): void {
    if (worker.alive) this.perform(worker, worker.copy.step({ kind: 'own', message }, this.nowMs));
  }

  perform(worker: Worker, effects: ReturnType<CopyMachine['step']>): void {
    const own = `own ${worker.id}.${worker.incarnation}`;
    for (const effect of effects) {
      if (effect.kind === 'send') this.toPrimary(worker, effect.to, effect.message);
      else if (effect.kind === 'own') {
        const message: FromCopySide | FromOwnKeeper = structuredClone(effect.message);
        this.send(`${own} up`, () => worker.alive && this.stepPrimary(worker, { kind: 'own', message }));
      } else if (effect.kind === 'more') {
        this.at(
          0.2,
          () => worker.alive && this.perform(worker, worker.copy.step({ kind: 'sweep', budget: 3 }, this.nowMs)),
        );
      } else if (effect.kind === 'done') this.report(worker, 'keeper', effect.view);
    }
  }

  toPrimary(from: Worker, to: NodeId, message: FromCopySide): void {
    const target = this.workers.get(to);
    if (!target) return;
    const copied = structuredClone(message);
    this.send(`${from.id}.${from.incarnation} ⇒ ${to}.${target.incarnation}`, () => {
      if (target.alive) this.stepPrimary(target, { kind: 'message', from: from.id, message: copied });
    });
  }

  kill(id: NodeId): void {
    const worker = this.workers.get(id);
    if (!worker) return;
    worker.alive = false;
    this.protected = false;
    this.settledWhole = false;
    const { incarnation } = worker;
    this.#undetected += 1;
    this.at(1 + this.random() * 5, () => {
      this.#undetected -= 1;
      this.supervise({
        kind: 'died',
        death: { node: id, incarnation, cause: 'killed', how: 'SIGKILL', running: null },
      });
      this.start(id, incarnation + 1);
    });
  }

  ask(worker: Worker, event: (token: number) => PrimaryEvent, then: (effect: PrimaryEffect) => void): void {
    this.#token += 1;
    worker.waiting.set(this.#token, then);
    this.stepPrimary(worker, event(this.#token));
  }

  requestId(): RequestId {
    this.#requests += 1;
    return this.#requests.toString(16).padStart(32, '0') as RequestId;
  }
}

interface Tally {
  acknowledged: number;
  unknown: number;
  readonly values: number[];
}

/** Adds 1 per operation, one operation at a time; repeats an attempt that a death cut off, under the same request id. */
class Client {
  finished = 0;
  stuck = '';
  constructor(
    readonly cluster: Cluster,
    readonly id: ReturnType<typeof formatSessionId>,
    readonly tally: Tally,
    readonly operations: number,
  ) {
    cluster.at(cluster.random() * 20, () => this.next());
  }

  next(): void {
    if (this.finished < this.operations) this.attempt(this.cluster.requestId(), 1);
  }

  attempt(request: RequestId, attempt: number): void {
    const { cluster, id } = this;
    const view = cluster.balancerView;
    const again = (n: number) => cluster.at(1 + cluster.random() * 3, () => this.attempt(request, n));
    const primary = view ? rank(id, view.ring, view.members)[0] : undefined;
    const worker = primary ? cluster.workers.get(primary) : undefined;
    if (!worker || !worker.alive || !worker.primary.isPrimary(id)) {
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
        const logged = attempt > 1 ? worker.primary.logged(id, request) : null;
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
    const commit = {
      request,
      ordinal: 1,
      change: { set: new Map([['n', encoded]]), remove: [] },
      destroy: false,
      carries: [],
      answer: encoded,
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

function play(options: Options, sessions: number, operations: number) {
  const cluster = new Cluster(options);
  expect(cluster.run(5_000, () => cluster.settledWhole && cluster.balancerView !== null)).toBe(true);
  const tallies: Tally[] = [];
  const clients: Client[] = [];
  for (let i = 0; i < sessions; i += 1) {
    const placement = new Uint8Array(5).map(() => cluster.random() * 256);
    const id = formatSessionId({ arm: 0, placement, random: new Uint8Array(16).fill(i) }, key);
    const tally: Tally = { acknowledged: 0, unknown: 0, values: [] };
    tallies.push(tally);
    const view = cluster.membership.view;
    const home = view ? rank(id, view.ring, view.members)[0] : undefined;
    const worker = home ? cluster.workers.get(home) : undefined;
    if (!worker) throw new Error('no home');
    const request = cluster.requestId();
    cluster.ask(
      worker,
      (token) => ({ kind: 'create', id, request, token }),
      () => {},
    );
    const change = { set: new Map(), remove: [] };
    const create = { createdAt: 0, expiresAt: 1e12 };
    const commit = {
      request,
      ordinal: 1,
      change,
      destroy: false,
      carries: [],
      answer: null,
      create,
      bury: null,
      at: 0,
    };
    cluster.ask(
      worker,
      (token) => ({ kind: 'commit', id, commit, token }),
      () => {
        cluster.stepPrimary(worker, { kind: 'close', id, request });
        for (let c = 0; c < 2; c += 1) clients.push(new Client(cluster, id, tally, operations));
      },
    );
  }
  let kills = 0;
  const chaos = () => {
    const living = [...cluster.workers.values()].filter((w) => w.alive && cluster.membership.view?.members[w.id]);
    if (kills < options.kills && cluster.protected && living.length > 2) {
      const victim = living[Math.floor(cluster.random() * living.length)];
      if (victim && cluster.membership.view?.members[victim.id]?.incarnation === victim.incarnation) {
        kills += 1;
        cluster.kill(victim.id);
      }
    }
    cluster.at(20 + cluster.random() * 150, chaos);
  };
  expect(cluster.run(cluster.nowMs + 2_000, () => clients.length === sessions * 2)).toBe(true);
  cluster.at(30, chaos);
  const ended = () => clients.length === sessions * 2 && clients.every((client) => client.finished >= operations);
  const finished = cluster.run(120_000, () => ended() && kills >= options.kills && cluster.settledWhole);
  return { cluster, clients, tallies, kills, finished };
}

function check({ cluster, clients, tallies, finished }: ReturnType<typeof play>, seed: number): void {
  const stuck = clients.filter((c) => c.finished < c.operations).map((c) => c.stuck);
  expect({ seed, finished, stuck }).toEqual({ seed, finished: true, stuck: [] });
  for (const tally of tallies) {
    expect(new Set(tally.values).size, `seed ${seed}: every acknowledged value once`).toBe(tally.values.length);
    const top = Math.max(...tally.values);
    expect(top, `seed ${seed}: nothing lost`).toBeGreaterThanOrEqual(tally.acknowledged);
    expect(top, `seed ${seed}: nothing doubled`).toBeLessThanOrEqual(tally.acknowledged + tally.unknown);
  }
  for (const worker of cluster.workers.values()) expect(worker.primary.unprotected, `seed ${seed}`).toBe(0);
}

describe('replication', () => {
  test('no faults: two clients per session: every increment counted once', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      check(play({ seed, kills: 0, copies: 2, nodes: 4 }, 6, 10), seed);
    }
  });

  test('kills, joins, handovers: nothing acknowledged is lost, nothing runs twice', () => {
    const seeds = Number(process.env['LIMPET_MODEL_SEEDS'] ?? 60);
    for (let seed = 100; seed < 100 + seeds; seed += 1) {
      check(play({ seed, kills: 6, copies: 2, nodes: 4 }, 6, 60), seed);
    }
  });

  test('three copies: the same', () => {
    for (let seed = 0; seed < 10; seed += 1) check(play({ seed, kills: 4, copies: 3, nodes: 4 }, 4, 40), seed);
  });
});
