import { type NodeId, nodeIdAt } from '@limpet/core';
import type { Dice } from './dice.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

export const faults = [
  'kill',
  'killTwo',
  'stop',
  'block',
  'blockKeeper',
  'cut',
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
  drain: 4,
  undrain: 3,
  scale: 2,
  supervisor: 3,
  balancer: 2,
  fullDisk: 0.6,
  slowDisk: 0.6,
  stopAll: 0.4,
};

/** Does things to the cluster until it is told to stop; then everything that was done is taken back. */
export class Faults {
  readonly #world: World;
  readonly #dice: Dice;
  isOver = false;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#next();
  }

  #next(): void {
    const { scheduler, settings } = this.#world;
    scheduler.at(this.#dice.between(0, 2 * settings.faultEveryMs), null, () => {
      if (this.isOver) return;
      this.inject(this.#dice.weighted(weights));
      this.#next();
    });
  }

  inject(fault: Fault): void {
    const world = this.#world;
    const meets = () => {
      world.coverage.note(fault, world);
      world.count(fault);
    };
    const worker = this.#victim();
    if (worker === null) return;
    switch (fault) {
      case 'kill':
        if (this.#isMember(worker) && !world.mayKill(1)) return;
        meets();
        worker.process.die('killed', 'SIGKILL', null);
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
        meets();
        this.#stop(worker, this.#length(4_500));
        return;
      case 'stopAll': {
        meets();
        const ms = this.#length(4_500);
        for (const each of world.living) this.#stop(each, ms + this.#dice.between(0, 50));
        return;
      }
      case 'block':
        meets();
        this.#block(worker.thread, this.#length(5_500));
        return;
      case 'blockKeeper':
        meets();
        this.#block(worker.keeper.thread, this.#length(1_000));
        return;
      case 'cut': {
        const links = [...worker.links.values()];
        if (links.length === 0) return;
        meets();
        world.log.line('faults', `cut a link of ${worker.address}`);
        this.#dice.pick(links).link.cut();
        return;
      }
      case 'drain': {
        const candidates = world.wanted.filter((node) => world.isWanted(node));
        if (candidates.length < 2 || world.out.size > 0) return;
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
        world.disk.isFull = true;
        world.scheduler.at(this.#dice.between(50, 500), null, () => {
          world.disk.isFull = false;
        });
        return;
      case 'slowDisk':
        meets();
        world.disk.delayMs = this.#dice.between(20, 150);
        world.scheduler.at(this.#dice.between(50, 800), null, () => {
          world.disk.delayMs = 0.2;
        });
    }
  }

  /** Mostly short, now and then longer than any clock allows. */
  #length(longMs: number): number {
    return this.#dice.chance(0.2) ? this.#dice.between(800, longMs) : this.#dice.between(5, 400);
  }

  #victim(): Worker | null {
    const { living } = this.#world;
    return living.length === 0 ? null : this.#dice.pick(living);
  }

  #isMember({ node, incarnation }: Worker): boolean {
    return this.#world.newestView?.members[node]?.incarnation === incarnation;
  }

  #stop(worker: Worker, ms: number): void {
    const { process } = worker;
    const { scheduler } = this.#world;
    process.isStopped = true;
    process.stoppedAtMs = scheduler.nowMs;
    this.#world.log.line(process.name, `stopped for ${ms.toFixed(0)} ms`);
    scheduler.at(ms, null, () => {
      process.isStopped = false;
      for (const thread of process.threads) scheduler.wake(thread);
    });
  }

  #block(thread: Worker['thread'], ms: number): void {
    const { scheduler } = this.#world;
    thread.isBlocked = true;
    this.#world.log.line(thread.name, `blocked for ${ms.toFixed(0)} ms`);
    scheduler.at(ms, null, () => {
      thread.isBlocked = false;
      scheduler.wake(thread);
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
    const world = this.#world;
    const { settings } = world;
    world.disk.isFull = false;
    world.disk.delayMs = 0.2;
    for (const node of [...world.out]) world.undrain(node);
    world.scale(Array.from({ length: settings.nodes }, (_, at) => nodeIdAt(at + 1)));
  }
}
