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
  cutBoth: 3,
} as const;
type Stroke = keyof typeof strokes | 'killRing';

/** Where more may die than there are copies, one seed in so many ends everyone in the ring. */
const ringShare = 0.3;

/** Moments that come only while sessions move from one living member to another. */
const moves: ReadonlySet<Mark> = new Set([
  'demoted',
  'forward',
  'confirm',
  'forwarded',
  'finished',
  'joint',
  'leaving',
]);
/** Where it tells something to end everyone in the ring. */
const ends: readonly Mark[] = ['joint', 'leaving', 'leaving', 'settled'];

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
    const isRing = world.settings.mayLose && dice.chance(ringShare);
    const mark = isRing ? dice.pick(ends) : dice.weighted(marks);
    const stroke = mark === 'forwarded' && dice.chance(0.5) ? 'cutBoth' : dice.weighted(strokes);
    this.#stroke = isRing ? 'killRing' : stroke;
    this.#mark = dice.chance(aimingShare) ? mark : null;
    if (this.#mark !== null) world.log.line('faults', `aims at ${this.#mark}: ${this.#stroke}`);
  }

  /** The membership should change often, or the moment hardly ever comes. */
  get wantsMoves(): boolean {
    return this.#mark !== null && moves.has(this.#mark);
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

  #later(withinMs: number, run: () => void): void {
    this.#world.scheduler.at(this.#dice.between(0, withinMs), null, () => {
      if (!this.isOver) run();
    });
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
        blows.block(this.#dice.pick([sender.thread, receiver.keeper.thread]), this.#dice.between(2, 150));
        this.#later(60, () => {
          const third = this.#world.living.filter((worker) => worker !== sender && worker !== receiver);
          if (third.length > 0) blows.kill(this.#dice.pick(third));
        });
        return;
      case 'cutBoth':
        // What was said is lost, and asked for once more when others have been served, even if nothing else is done any more.
        blows.cut(sender, receiver.node);
        this.#world.scheduler.at(
          this.#dice.pick([this.#dice.between(5, 300), this.#dice.between(2_000, 2_800)]),
          null,
          () => {
            blows.cut(receiver, sender.node);
          },
        );
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
