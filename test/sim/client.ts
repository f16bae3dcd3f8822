import type { RequestId } from '@limpet/core';
import type { Dice } from './dice.ts';
import { never } from './settings.ts';
import type { Ask, Kind, Outcome } from './wire.ts';
import type { World } from './world.ts';

/** How often a visitor does what. */
const kinds: Readonly<Record<Kind, number>> = {
  read: 24,
  bare: 3,
  append: 24,
  other: 14,
  appendTwice: 8,
  put: 5,
  save: 6,
  stream: 5,
  renew: 3,
  regenerate: 1.5,
  destroy: 1.5,
  crash: 0.6,
};

/** One tab of a user's browser: one request after the other, with the cookie that all its tabs share. */
export class Tab {
  readonly #world: World;
  readonly #user: number;
  readonly #name: string;
  readonly #dice: Dice;
  readonly #thinkMs: number;
  #made = 0;
  /** Since when its request is under way, null between two. */
  busySinceMs: number | null = null;
  /** What came of its last request. */
  outcome: Outcome | null = null;
  isOver = false;

  constructor(world: World, user: number, tab: number, dice: Dice) {
    this.#world = world;
    this.#user = user;
    this.#name = `u${user}${String.fromCharCode(97 + tab)}`;
    this.#dice = dice;
    this.#thinkMs = dice.pick([5, 15, 40]);
    this.#think();
  }

  get name(): string {
    return this.#name;
  }

  /** A balancer may have had enough of the like (P21). */
  mayBeRefused(ask: Ask): boolean {
    const session = this.#world.history.cookieOf(this.#user);
    return this.#world.balancers.some((balancer) => balancer.refuses(ask, session));
  }

  #think(): void {
    this.#world.scheduler.at(this.#dice.between(0, 2 * this.#thinkMs), null, () => {
      if (this.isOver) return;
      this.ask(this.#draw());
    });
  }

  /**
   * Where sessions end by themselves, one user only reads once there is a session: it lives by uses that no write tells
   * of, and must still live after a death (P14).
   */
  get #onlyReads(): boolean {
    const { settings, history } = this.#world;
    return settings.idleMs < never && this.#user === 1 && history.cookieOf(this.#user) !== null;
  }

  #draw(): Ask {
    const dice = this.#dice;
    const drawn = dice.weighted(kinds);
    const kind = this.#onlyReads ? 'read' : drawn;
    this.#made += 1;
    const tag = `${this.#name}${this.#made}`;
    const method = kind === 'read' || kind === 'bare' ? 'GET' : kind === 'put' ? 'PUT' : 'POST';
    const long = dice.chance(0.04) ? dice.between(300, 2_600) : dice.between(2, 120);
    return {
      kind,
      tag,
      method,
      declared: method === 'POST' && dice.chance(0.25),
      workMs: dice.chance(0.4) ? 0 : long,
    };
  }

  /** Makes the request now. */
  ask(ask: Ask): void {
    const world = this.#world;
    const balancer = this.#dice.pick([...world.balancers, null].slice(0, Math.max(1, world.balancers.length)));
    if (balancer === null || !balancer.isListening) {
      // Refused by the kernel, or the port's queue waits for a balancer: the browser tries again.
      world.scheduler.at(10, null, () => (this.isOver ? undefined : this.ask(ask)));
      return;
    }
    const { history, scheduler, network } = world;
    this.busySinceMs = scheduler.nowMs;
    const operation = history.begin(this.#user, ask);
    world.log.line(this.#name, `${ask.kind} ${ask.tag} at ${balancer.process.name}`);
    let isOver = false;
    const end = (outcome: Outcome, request: RequestId | null) => {
      if (isOver) return;
      isOver = true;
      this.busySinceMs = null;
      this.outcome = outcome;
      world.log.line(this.#name, `${ask.tag} ${describe(outcome)}`);
      history.end(operation, outcome, request ?? ('' as RequestId));
      this.#think();
    };
    const back = (outcome: Outcome, request: RequestId | null) =>
      scheduler.at(network.delay(), null, () => end(outcome, request));
    balancer.process.whenDead(() => back({ kind: 'broken', bodies: [] }, null));
    scheduler.at(network.delay(), balancer.thread, () => {
      balancer.take(ask, operation.presented, (outcome, request) => back(outcome, request));
    });
  }
}

const describe = (outcome: Outcome): string =>
  outcome.kind === 'refused' ? outcome.outcome : `${outcome.kind} ${outcome.bodies.map(({ at }) => at).join(' ')}`;
