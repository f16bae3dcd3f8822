import {
  type CopyEffect,
  type CopyEvent,
  CopyMachine,
  type FromCopySide,
  type FromOwnKeeper,
  type FromSupervisor,
  formatViewNumber,
  type Introduction,
  type NodeId,
  type ToCopySide,
  type ToOwnKeeper,
  type ToSupervisor,
} from '@limpet/core';
import { MemberLinks } from '@limpet/worker';
import { hello } from './greeting.ts';
import { epochMs } from './host.ts';
import { type Listener, Redialled } from './link.ts';
import { Pipe } from './network.ts';
import { Thread } from './scheduler.ts';
import { spell } from './spell.ts';
import type { WorkerSide } from './worker.ts';

const tickMs = 50;
const beatMs = 100;
const sweepBudget = 3;
const reportAgainMs = 250;

export type FromKeeper = FromCopySide | FromOwnKeeper;

/** The keeper thread of a worker: worker/keeper-thread.ts on virtual sockets. */
export class Keeper {
  readonly thread: Thread;
  readonly machine: CopyMachine;
  readonly #worker: WorkerSide;
  readonly #links = new MemberLinks<(message: FromCopySide) => void>();
  readonly #control: Redialled<ToSupervisor, FromSupervisor>;
  /** From the app's loop. */
  readonly inbox: Pipe<ToOwnKeeper | ToCopySide>;
  #reported = '';
  #reportedAtMs = 0;
  /** Shown by the app's loop when it comes round. */
  turns = 0;

  constructor(worker: WorkerSide) {
    this.#worker = worker;
    const { world, process, node, incarnation } = worker;
    this.thread = new Thread(`${process.name} keeper`, process, false);
    const { idleMs, deadlineMs } = world.settings;
    this.machine = new CopyMachine({ self: node, rank: world.rank, idleMs, deadlineMs, bounds: world.bounds });
    this.inbox = new Pipe(world.network, this.thread, (message) => this.step({ kind: 'own', message }));
    this.#control = new Redialled(world.network, this.thread, () => world.supervisorPort(), {
      open: (send) => {
        send(hello('keeper', { name: node, incarnation }, this.machine.view));
      },
      message: (message) => {
        if (message.kind !== 'views') return;
        for (const view of message.views) {
          world.watch.seesView(this.thread.name, view);
          this.step({ kind: 'view', view });
        }
      },
      close: () => {},
    });
    this.#every(tickMs, () => this.step({ kind: 'tick' }));
    this.#every(beatMs, () => this.#control.send({ kind: 'beat', turns: this.turns, inspected: false }));
  }

  /** Another member's app loop has dialled. */
  listen(): Listener<Introduction | ToCopySide, FromCopySide> {
    let from: NodeId | null = null;
    let answer: ((message: FromCopySide) => void) | null = null;
    return {
      accepted: (send) => {
        answer = send;
      },
      message: (message) => {
        if (message.kind === 'member') {
          from = message.node;
          if (answer !== null) this.#links.introduce(from, message.incarnation, answer);
        } else if (from !== null) this.step({ kind: 'message', from, message });
      },
      close: () => {
        if (from !== null && answer !== null) this.#links.ended(from, answer);
      },
    };
  }

  step(event: CopyEvent): void {
    const { world, address } = this.#worker;
    for (const effect of this.machine.step(event, world.scheduler.nowMs + epochMs)) this.#perform(effect);
    world.watch.bounded(`${address}k`, this.machine.kept);
  }

  #perform(effect: CopyEffect): void {
    const { world, address } = this.#worker;
    switch (effect.kind) {
      case 'send':
        world.log.line(`${address}k`, () => `→ ${effect.to} ${spell(effect.message)}`);
        world.watch.answered(address, this.machine, effect.to, effect.message);
        world.aim?.sees(effect.message.kind, world.workers.get(address) ?? null, effect.to);
        this.#links.to(effect.to)?.(world.onTheWay(effect.message));
        return;
      case 'own':
        world.log.line(`${address}k`, () => `⇡ ${spell(effect.message)}`);
        this.#worker.fromKeeper.send(world.onTheWay(effect.message));
        return;
      case 'more':
        world.scheduler.at(world.dice.between(0.1, 1), this.thread, () =>
          this.step({ kind: 'sweep', budget: sweepBudget }),
        );
        return;
      case 'cut':
        world.cut(effect.member, address);
        return;
      case 'done': {
        const name = formatViewNumber(effect.view);
        const nowMs = world.scheduler.nowMs;
        if (name === this.#reported && nowMs - this.#reportedAtMs < reportAgainMs) return;
        this.#reported = name;
        this.#reportedAtMs = nowMs;
        this.#control.send({ kind: 'done', view: effect.view });
        return;
      }
    }
  }

  #every(ms: number, run: () => void): void {
    const { scheduler } = this.#worker.world;
    const again = () => {
      scheduler.at(ms, this.thread, again);
      run();
    };
    scheduler.at(ms, this.thread, again);
  }
}
