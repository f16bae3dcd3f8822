import type { NodeId } from '@limpet/core';
import type { Connection } from './connection.ts';
import type { Dice } from './dice.ts';
import type { Fault } from './faults.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

/** What can be done to one worker, each counted where it meets the cluster. False: it would take more than may be lost. */
export class Blows {
  readonly #world: World;
  readonly #dice: Dice;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
  }

  meets(fault: Fault): void {
    this.#world.coverage.note(fault, this.#world);
    this.#world.count(fault);
  }

  isMember({ node, incarnation }: Worker): boolean {
    return this.#world.newestView?.members[node]?.incarnation === incarnation;
  }

  kill(worker: Worker): boolean {
    if (this.isMember(worker) && !this.#world.mayKill(1)) return false;
    this.meets('kill');
    worker.process.die('killed', 'SIGKILL', null);
    return true;
  }

  /** SIGSTOP. Null: nobody will ever let it go on. */
  stop({ process }: Worker, ms: number | null): void {
    const { scheduler, log } = this.#world;
    process.isStopped = true;
    process.stoppedAtMs = scheduler.nowMs;
    log.line(process.name, `stopped ${ms === null ? 'for ever' : `for ${ms.toFixed(0)} ms`}`);
    if (ms === null) this.#world.doom(process);
    else
      scheduler.at(ms, null, () => {
        if (process.isDoomed) return;
        process.isStopped = false;
        for (const thread of process.threads) scheduler.wake(thread);
      });
  }

  block(thread: Worker['thread'], ms: number): void {
    const { scheduler, log } = this.#world;
    thread.isBlocked = true;
    log.line(thread.name, `blocked for ${ms.toFixed(0)} ms`);
    scheduler.at(ms, null, () => {
      thread.isBlocked = false;
      scheduler.wake(thread);
    });
  }

  /** A connection of its app's loop with another's keeper breaks. Null: any. */
  cut(worker: Worker, to: NodeId | null): boolean {
    const links = to === null ? [...worker.links.values()] : [worker.links.get(to)].flatMap((link) => link ?? []);
    if (links.length === 0) return false;
    this.meets('cut');
    this.#world.log.line('faults', `cut a link of ${worker.address}`);
    this.#dice.pick(links).link.cut();
    return true;
  }

  /** It stands still, and meanwhile the connections of requests to it break, most of them: they are tried again elsewhere. */
  strand(worker: Worker, ms: number): void {
    this.meets('block');
    this.block(worker.thread, ms);
    for (const { connections } of this.#world.balancers) {
      for (const connection of [...connections]) {
        if (connection.leadsTo(worker) && this.#dice.chance(0.7)) this.reset(connection);
      }
    }
  }

  /** The connection of one request breaks. */
  reset(connection: Connection): void {
    this.meets('reset');
    this.#world.log.line('faults', `cut the connection of ${connection.request.request.slice(-4)}`);
    connection.cut();
  }

  /** Where that much may be lost: everyone in the ring at once. */
  killRing(): void {
    if (!this.#world.settings.mayLose) return;
    const ring = this.#world.newestView?.ring ?? [];
    for (const worker of this.#world.living) if (ring.includes(worker.node) && this.isMember(worker)) this.kill(worker);
  }

  /** Mostly short, now and then longer than any clock allows. */
  length(longMs: number): number {
    return this.#dice.chance(0.2) ? this.#dice.between(800, longMs) : this.#dice.between(5, 400);
  }
}
