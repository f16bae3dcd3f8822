import { type NodeId, nodeIdAt } from '@limpet/core';
import { Aim } from './aim.ts';
import { Blows } from './blows.ts';
import { Dice } from './dice.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

export const faults = [
  'kill',
  'killTwo',
  'stop',
  'block',
  'blockKeeper',
  'cut',
  'reset',
  'slowLink',
  'drain',
  'undrain',
  'scale',
  'supervisor',
  'balancer',
  'fullDisk',
  'slowDisk',
  'stopAll',
] as const;
export type Fault = (typeof faults)[number];

const weights: Readonly<Record<Fault, number>> = {
  kill: 10,
  killTwo: 3,
  stop: 4,
  block: 5,
  blockKeeper: 3,
  cut: 8,
  reset: 4,
  slowLink: 2,
  drain: 4,
  undrain: 3,
  scale: 2,
  supervisor: 3,
  balancer: 2,
  fullDisk: 1,
  slowDisk: 0.6,
  stopAll: 0.6,
};

const movingWeights: typeof weights = { ...weights, drain: 14, undrain: 14, scale: 6 };

/** Does things to the cluster until it is told to stop; then everything that was done is taken back. */
export class Faults {
  readonly #world: World;
  readonly #dice: Dice;
  readonly #blows: Blows;
  readonly #aim: Aim;
  isOver = false;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#blows = new Blows(world, dice);
    this.#aim = new Aim(world, new Dice(world.settings.seed, 6), this.#blows);
    world.aim = this.#aim;
    this.#next();
  }

  #next(): void {
    const { scheduler, settings } = this.#world;
    scheduler.at(this.#dice.between(0, 2 * settings.faultEveryMs), null, () => {
      if (this.isOver) return;
      this.inject(this.#dice.weighted(this.#aim.wantsMoves ? movingWeights : weights));
      this.#next();
    });
  }

  inject(fault: Fault): void {
    const world = this.#world;
    const meets = () => this.#blows.meets(fault);
    const worker = this.#victim();
    if (worker === null) return;
    switch (fault) {
      case 'kill':
        this.#blows.kill(worker);
        return;
      case 'killTwo': {
        const other = this.#victim();
        if (other === null || other === worker || !world.mayKill(2)) return;
        meets();
        worker.process.die('killed', 'SIGKILL', null);
        other.process.die('killed', 'SIGKILL', null);
        return;
      }
      case 'stop':
        if (world.living.some(({ process }) => process.isDoomed)) return;
        meets();
        this.#blows.stop(worker, this.#mayDoom(worker) ? null : this.#blows.length(4_500));
        return;
      case 'stopAll': {
        if (world.living.some(({ process }) => process.isDoomed)) return;
        meets();
        const ms = this.#dice.chance(0.4) ? this.#dice.between(3_000, 4_500) : this.#blows.length(3_000);
        for (const each of world.living) this.#blows.stop(each, ms + this.#dice.between(0, 50));
        return;
      }
      case 'block':
        meets();
        this.#blockAndCut(worker);
        return;
      case 'blockKeeper':
        meets();
        this.#blows.block(worker.keeper.thread, this.#blows.length(1_000));
        return;
      case 'cut':
        this.#blows.cut(worker, null);
        return;
      case 'slowLink': {
        const links = [...worker.links.values()];
        if (links.length === 0) return;
        meets();
        this.#dice.pick(links).link.lag(this.#dice.between(20, 600));
        return;
      }
      case 'reset': {
        const open = world.balancers.flatMap(({ connections }) => [...connections]);
        if (open.length === 0) return;
        this.#blows.reset(this.#dice.pick(open));
        return;
      }
      case 'drain': {
        const candidates = world.wanted.filter((node) => world.isWanted(node));
        if (candidates.length === 0) return;
        meets();
        world.log.line('faults', 'drain');
        world.drain(this.#dice.pick(candidates));
        return;
      }
      case 'undrain': {
        const [node] = world.out;
        if (node === undefined) return;
        meets();
        world.log.line('faults', `undrain ${node}`);
        world.undrain(node);
        return;
      }
      case 'scale':
        meets();
        this.#scale();
        return;
      case 'supervisor':
        this.#supervisor(meets);
        return;
      case 'balancer': {
        if (world.balancers.length < 2) return;
        meets();
        this.#dice.pick(world.balancers).process.die('killed', 'SIGKILL', null);
        return;
      }
      case 'fullDisk':
        meets();
        this.#fullDisk();
        return;
      case 'slowDisk':
        meets();
        world.disk.delayMs = this.#dice.between(20, 150);
        world.scheduler.at(this.#dice.between(50, 800), null, () => {
          world.disk.delayMs = 0.2;
        });
    }
  }

  #victim(): Worker | null {
    const { living } = this.#world;
    return living.length === 0 ? null : this.#dice.pick(living);
  }

  /** Alone: of several that are silent the machine might be the cause (P8), and a new supervisor does not wait for any. */
  #mayDoom(worker: Worker): boolean {
    const world = this.#world;
    const isAlone = world.living.every(({ process }) => !process.isStopped);
    return (
      isAlone && this.#blows.isMember(worker) && !world.settings.mayLose && world.mayKill(1) && this.#dice.chance(0.08)
    );
  }

  /** Now and then its links break meanwhile: it hears of that, and of their return, together with all else that has come. */
  #blockAndCut(worker: Worker): void {
    const ms = this.#blows.length(5_500);
    this.#blows.block(worker.thread, ms);
    if (!this.#dice.chance(0.4)) return;
    for (const { link } of worker.links.values()) {
      if (this.#dice.chance(0.6)) this.#world.scheduler.at(this.#dice.between(0, ms), null, () => link.cut());
    }
  }

  /** Whoever takes over then finds an old view on it. */
  #fullDisk(): void {
    const { disk, scheduler } = this.#world;
    disk.isFull = true;
    const ms = this.#dice.chance(0.5) ? this.#dice.between(50, 500) : this.#dice.between(500, 1_500);
    if (this.#dice.chance(0.5)) {
      this.#scale();
      scheduler.at(this.#dice.between(0, ms), null, () => {
        if (!this.isOver) this.#supervisor(() => this.#blows.meets('supervisor'));
      });
    }
    scheduler.at(ms, null, () => {
      disk.isFull = false;
    });
  }

  #scale(): void {
    const { world, dice } = { world: this.#world, dice: this.#dice };
    const most = world.settings.nodes + 1;
    const count = Math.max(Math.min(world.settings.copies, most), 1 + dice.int(most));
    const nodes: NodeId[] = Array.from({ length: count }, (_, at) => nodeIdAt(at + 1));
    world.log.line('faults', `scale to ${count}`);
    world.scale(nodes);
  }

  #supervisor(meets: () => void): void {
    const world = this.#world;
    const { supervisor } = world;
    if (supervisor === null || !supervisor.process.isAlive || supervisor.membership === null) return;
    meets();
    if (this.#dice.chance(0.3)) {
      const { process } = supervisor;
      process.isStopped = true;
      world.log.line(process.name, 'stopped');
      world.scheduler.at(this.#dice.between(20, 1_500), null, () => {
        process.isStopped = false;
        for (const thread of process.threads) world.scheduler.wake(thread);
      });
      return;
    }
    supervisor.process.die('killed', 'SIGKILL', null);
    world.log.line(supervisor.process.name, 'dies');
    world.scheduler.at(this.#dice.between(30, 1_200), null, () => world.startSupervisor());
  }

  /** From here on nothing is done any more, and what was done ends. */
  heal(): void {
    this.isOver = true;
    this.#aim.isOver = true;
    const world = this.#world;
    const { settings } = world;
    world.disk.isFull = false;
    world.disk.delayMs = 0.2;
    for (const node of [...world.out]) world.undrain(node);
    world.scale(Array.from({ length: settings.nodes }, (_, at) => nodeIdAt(at + 1)));
  }
}
