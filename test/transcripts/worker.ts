import type { AttemptNote, AttemptResult } from '@limpet/balancer';
import {
  type CopyEffect,
  type CopyEvent,
  CopyMachine,
  type Death,
  type FromCopySide,
  type FromOwnKeeper,
  formatAddress,
  type NodeId,
  parseSessionId,
  type ToCopySide,
  type ToOwnKeeper,
  type View,
} from '@limpet/core';
import { ReplicatedEngine } from '@limpet/session';
import { Reception, Running, ViewFeed } from '@limpet/worker';
import { macKey } from './names.ts';
import { Exchange, type Host } from './service.ts';
import type { Ask, Receiver, Stage } from './stage.ts';
import { sayFromCopySide, sayToCopySide } from './words.ts';

export const lifetimes = { idleMs: 1_800_000, deadlineMs: 10_000 };
const absoluteMs = 12 * 3_600_000;
const sweepBudget = 100;

/** One incarnation of a node: its app loop and its keeper, between which nothing is delayed. */
export class Worker implements Receiver, Host {
  readonly stage: Stage;
  readonly node: NodeId;
  readonly incarnation: number;
  readonly address: string;
  readonly engine: ReplicatedEngine;
  readonly copies: CopyMachine;
  readonly views = new ViewFeed();
  readonly running = new Running();
  readonly reception: Reception;
  readonly #exchanges = new Set<Exchange>();
  /** How it ended; null while it lives. */
  death: Death | null = null;
  isPaused = false;
  isStopping = false;
  turns = 0;
  #stoodAtMs = 0;

  constructor(stage: Stage, node: NodeId, incarnation: number) {
    this.stage = stage;
    this.node = node;
    this.incarnation = incarnation;
    this.address = formatAddress({ id: node, incarnation });
    const { rank } = stage;
    this.copies = new CopyMachine({ self: node, rank, ...lifetimes });
    this.engine = new ReplicatedEngine({
      node,
      incarnation,
      rank,
      mint: () => stage.mint(),
      parse: (text) => parseSessionId(text, [macKey]),
      ...lifetimes,
      absoluteMs,
      keyLifeMs: absoluteMs,
      // A stopped process has a clock that stands: none of its deadlines pass unnoticed by the story.
      now: () => (this.isPaused ? this.#stoodAtMs : stage.nowMs()),
      send: (to, message) => this.#send(to, message),
      own: (message) => this.#ownToKeeper(message),
      done: (view) => this.#done('app', view),
      late: (what, members) => {
        const waited = what === 'opening' ? 'a session' : 'an answer';
        stage.tell(`${node}: ${waited} has waited until its deadline for ${members.join(' ')}`);
      },
    });
    const { engine, views, running } = this;
    this.reception = new Reception({ node, incarnation, views, engine, rank, running, replayable: [] });
  }

  get isAlive(): boolean {
    return this.death === null;
  }

  /** Takes a request from a balancer. Gives what has come of it, once. */
  serve(ask: Ask, note: AttemptNote): Promise<AttemptResult> {
    return new Promise((resolve) => {
      const exchange = new Exchange(this, ask, note, (result) => {
        this.#exchanges.delete(exchange);
        resolve(result);
        this.stage.soon(() => this.#endWhenIdle());
      });
      this.#exchanges.add(exchange);
      exchange.begin();
    });
  }

  /** Its handlers go on with what the script has added. */
  work(ask: Ask): void {
    for (const exchange of [...this.#exchanges]) if (exchange.ask === ask) exchange.work();
  }

  enter(view: View, deaths: readonly Death[]): void {
    const known = this.views.current;
    this.views.apply([view], deaths);
    if (this.views.current === known) return;
    this.#copyStep({ kind: 'view', view });
    this.engine.enter(view);
    for (const { id, incarnation } of Object.values(view.members)) {
      if (id === this.node) continue;
      if (known?.members[id]?.incarnation === incarnation) continue;
      if (this.stage.receiver(id, incarnation)?.isAlive) this.engine.linked(id, incarnation, true);
    }
  }

  /** The far end of a link has died. */
  unlinked(node: NodeId, incarnation: number): void {
    if (this.isAlive) this.engine.linked(node, incarnation, false);
  }

  fromApp(from: NodeId, message: ToCopySide): void {
    this.#copyStep({ kind: 'message', from, message });
  }

  fromKeeper(from: NodeId, message: FromCopySide): void {
    this.engine.received(from, message);
  }

  tick(): void {
    if (!this.isAlive || this.isPaused) return;
    this.turns += 1;
    this.#copyStep({ kind: 'tick' });
  }

  pause(): void {
    this.#stoodAtMs = this.stage.nowMs();
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** The supervisor lets it go (P11): it takes nothing new and ends when nothing runs. */
  stop(): void {
    this.isStopping = true;
    this.reception.stop();
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (!this.isStopping || !this.isAlive || this.running.size > 0) return;
    this.die('self', 'exit 0');
    this.stage.tell(`${this.node} has finished what it ran and ends`);
    this.stage.ended(this.node, this.incarnation);
  }

  /** An uncaught error: it names what was running before it goes (P21). */
  crash(): void {
    this.die('self', 'exit 1');
    const ran = this.death?.running ?? [];
    this.stage.tell(
      `${this.node} dies of an uncaught error; running: ${ran.map((id) => this.stage.names.requestName(id)).join(' ')}`,
    );
    this.stage.ended(this.node, this.incarnation);
  }

  die(cause: Death['cause'], how: string): void {
    const running = cause === 'self' ? this.running.list() : null;
    this.death = { node: this.node, incarnation: this.incarnation, cause, how, running };
    this.engine.stop();
    for (const exchange of [...this.#exchanges]) exchange.broken();
  }

  #send(to: NodeId, message: ToCopySide): void {
    const incarnation = this.views.current?.members[to]?.incarnation;
    if (!this.isAlive || incarnation === undefined) return;
    this.#post(to, incarnation, sayToCopySide(message, this.stage.names), (target) =>
      target.fromApp(this.node, structuredClone(message)),
    );
  }

  #answer(to: NodeId, message: FromCopySide): void {
    const incarnation = this.copies.view?.members[to]?.incarnation;
    if (!this.isAlive || incarnation === undefined) return;
    this.#post(to, incarnation, sayFromCopySide(message, this.stage.names), (target) =>
      target.fromKeeper(this.node, structuredClone(message)),
    );
  }

  #post(to: NodeId, incarnation: number, words: string | null, take: (target: Receiver) => void): void {
    const { stage } = this;
    const target = stage.receiver(to, incarnation);
    if (target?.isAlive !== true) return;
    if (words !== null) stage.tell(`${this.node} → ${to}: ${words}`);
    stage.network.send(this.node, to, {
      take: () => {
        if (!target.isAlive) return false;
        take(target);
        return true;
      },
    });
  }

  #ownToKeeper(message: ToOwnKeeper | ToCopySide): void {
    const copied = structuredClone(message);
    if (message.kind === 'demoted' && message.record !== null) {
      const { names } = this.stage;
      const still = message.running.map((id) => names.requestName(id));
      const who = still.length === 0 ? '' : `, while ${still.join(' ')} still runs here`;
      this.stage.tell(`${this.node}: primary of ${names.nameOf(message.id)} no longer${who}`);
    }
    this.stage.soon(() => {
      if (this.isAlive) this.#copyStep({ kind: 'own', message: copied });
    });
  }

  #copyStep(event: CopyEvent): void {
    for (const effect of this.copies.step(event, this.stage.nowMs())) this.#perform(effect);
  }

  #perform(effect: CopyEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#answer(effect.to, effect.message);
        return;
      case 'own':
        this.#ownToApp(structuredClone(effect.message));
        return;
      case 'more':
        this.stage.soon(() => {
          if (this.isAlive) this.#copyStep({ kind: 'sweep', budget: sweepBudget });
        });
        return;
      case 'cut':
        throw new Error('a story holds few messages');
      case 'done':
        this.#done('keeper', effect.view);
    }
  }

  #ownToApp(message: FromCopySide | FromOwnKeeper): void {
    if (message.kind === 'claimed' && message.record !== null) {
      const { names } = this.stage;
      const only = message.heir ? ', which nobody can hold more of' : '';
      this.stage.tell(
        `${this.node}: finds ${names.nameOf(message.id)} v${message.record.mark.version} in its own copy${only}`,
      );
    }
    this.stage.soon(() => {
      if (this.isAlive) this.engine.receivedOwn(message);
    });
  }

  #done(side: 'app' | 'keeper', view: { readonly term: number; readonly number: number }): void {
    if (this.isAlive && !this.isPaused) this.stage.reportDone(this.node, this.incarnation, side, view);
  }
}
