import { CopyMachine } from './copy.ts';
import { type NodeId, nodeIdAt, type RequestId } from './ids.ts';
import { Membership, type MembershipEffect } from './membership.ts';
import type { FromCopySide, FromOwnKeeper, ToCopySide, ToOwnKeeper } from './messages.ts';
import { type PrimaryEffect, type PrimaryEvent, PrimaryMachine } from './primary.ts';
import { createRank } from './rank.ts';
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

export const key = sipKey(new Uint8Array(16).fill(7));
export const rank = createRank(key);
const lifetimes = { idleMs: 1e9, deadlineMs: 10_000 };

export class Worker {
  readonly primary: PrimaryMachine;
  readonly copy: CopyMachine;
  alive = true;
  readonly waiting = new Map<number, (effect: PrimaryEffect) => void>();
  readonly dialled = new Map<NodeId, number>();
  readonly id: NodeId;
  readonly incarnation: number;

  constructor(id: NodeId, incarnation: number) {
    this.id = id;
    this.incarnation = incarnation;
    this.primary = new PrimaryMachine({ self: id, incarnation, rank, ...lifetimes });
    this.copy = new CopyMachine({ self: id, rank, ...lifetimes });
  }
}

export interface Options {
  readonly seed: number;
  readonly kills: number;
  readonly copies: number;
  readonly nodes: number;
}

export class Cluster {
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
    this.membership = new Membership({ term: 1, copies: options.copies, keyId: 1, wanted, adopt: null });
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
    if (effect.kind !== 'publish') return;
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
          this.at(
            Math.max(0.2, effect.afterMs),
            () => worker.alive && this.stepPrimary(worker, { kind: 'sweep', budget: 3 }),
          );
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
