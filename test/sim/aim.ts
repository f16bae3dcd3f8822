import { type NodeId, unreachable } from '@limpet/core';
import type { Blows } from './blows.ts';
import type { Dice } from './dice.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

/** Moments that come and go within a millisecond, where chance alone hardly ever hits: by how often a seed aims at each. */
const marks = {
  // From a primary to a copy, and what comes back.
  write: 1,
  burial: 3,
  tombstone: 2,
  record: 2,
  digest: 1,
  ack: 1,
  need: 1,
  // A session changes hands.
  claim: 2,
  claimed: 2,
  offer: 2,
  confirmed: 2,
  demoted: 3,
  forward: 3,
  confirm: 3,
  forwarded: 3,
  finished: 2,
  swept: 2,
  // At the supervisor.
  joint: 4,
  leaving: 3,
  stable: 3,
  settled: 4,
  drained: 2,
} as const;
export type Mark = keyof typeof marks;

/** What is done to the two between whom it happens. */
const strokes = {
  killSender: 3,
  killReceiver: 3,
  blockSender: 2,
  blockReceiver: 2,
  blockKeeper: 2,
  blockAndKill: 3,
  strand: 2,
  lag: 2,
  cut: 2,
} as const;
type Stroke = keyof typeof strokes | 'killRing';

/** Where more may die than there are copies, one seed in so many ends everyone in the ring. */
const ringShare = 0.3;

/** Of all seeds so many aim. */
const aimingShare = 0.6;

/** Some seeds choose one kind of moment and one blow, and strike again and again when it comes. */
export class Aim {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #blows: Blows;
  readonly #mark: Mark | null;
  readonly #stroke: Stroke;
  #restsUntilMs = 0;
  isOver = false;

  constructor(world: World, dice: Dice, blows: Blows) {
    this.#world = world;
    this.#dice = dice;
    this.#blows = blows;
    this.#mark = dice.chance(aimingShare) ? dice.weighted(marks) : null;
    const stroke = dice.weighted(strokes);
    this.#stroke = world.settings.mayLose && dice.chance(ringShare) ? 'killRing' : stroke;
    if (this.#mark !== null) world.log.line('faults', `aims at ${this.#mark}: ${this.#stroke}`);
  }

  /** It happens now, from one member to another; null: of nobody in particular. */
  sees(mark: Mark, from: Worker | null, to: NodeId | null): void {
    const { scheduler, settings } = this.#world;
    if (mark !== this.#mark || this.isOver || scheduler.nowMs < this.#restsUntilMs) return;
    if (this.#dice.chance(0.3)) return;
    this.#restsUntilMs = scheduler.nowMs + this.#dice.between(0, 2 * settings.faultEveryMs);
    // Most often before the next event, else while what follows from it is under way.
    const afterMs = this.#dice.pick([0, 0, 0.05, this.#dice.between(0, 1), this.#dice.between(0, 6)]);
    scheduler.at(afterMs, null, () => {
      const sender = from ?? this.#any(null);
      const receiver = this.#workerOf(to) ?? this.#any(sender);
      if (!this.isOver && sender !== null && receiver !== null) this.#strike(sender, receiver);
    });
  }

  #workerOf(node: NodeId | null): Worker | null {
    return this.#world.living.find((worker) => worker.node === node && this.#blows.isMember(worker)) ?? null;
  }

  #any(but: Worker | null): Worker | null {
    const others = this.#world.living.filter((worker) => worker !== but);
    return others.length === 0 ? but : this.#dice.pick(others);
  }

  #strike(sender: Worker, receiver: Worker): void {
    const blows = this.#blows;
    if (!sender.process.isAlive) return;
    switch (this.#stroke) {
      case 'killSender':
        blows.kill(sender);
        return;
      case 'killReceiver':
        blows.kill(receiver);
        return;
      case 'blockSender':
        blows.meets('block');
        blows.block(sender.thread, blows.length(1_500));
        return;
      case 'blockReceiver':
        blows.meets('block');
        blows.block(receiver.thread, blows.length(1_500));
        return;
      case 'blockKeeper':
        blows.meets('blockKeeper');
        blows.block(receiver.keeper.thread, blows.length(1_000));
        return;
      case 'blockAndKill':
        // One is behind the others when a death changes everything once more.
        blows.meets('block');
        blows.block(sender.thread, this.#dice.between(2, 100));
        this.#world.scheduler.at(this.#dice.between(0, 20), null, () => {
          const third = this.#world.living.filter((worker) => worker !== sender && worker !== receiver);
          if (!this.isOver && third.length > 0) blows.kill(this.#dice.pick(third));
        });
        return;
      case 'strand':
        blows.strand(sender, this.#dice.between(1_500, 4_000));
        return;
      case 'lag':
        blows.meets('slowLink');
        (sender.links.get(receiver.node) ?? receiver.links.get(sender.node))?.link.lag(this.#dice.between(20, 600));
        return;
      case 'killRing':
        blows.killRing();
        return;
      case 'cut':
        blows.cut(sender, receiver.node);
        return;
      default:
        unreachable(this.#stroke);
    }
  }
}
