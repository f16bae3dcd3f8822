import {
  type FromSupervisor,
  formatAddress,
  formatViewNumber,
  type Introduction,
  type NodeId,
  parseSessionId,
  type SessionId,
  type ToCopySide,
  type ToSupervisor,
  type View,
} from '@limpet/core';
import { ReplicatedEngine } from '@limpet/session';
import { createMint, Reception, Running, ViewFeed } from '@limpet/worker';
import type { Mark } from './aim.ts';
import type { Connection } from './connection.ts';
import { hello } from './greeting.ts';
import { epochMs } from './host.ts';
import { type FromKeeper, Keeper } from './keeper.ts';
import { Redialled } from './link.ts';
import { Pipe } from './network.ts';
import type { Process } from './process.ts';
import { Thread } from './scheduler.ts';
import { Service } from './service.ts';
import { short, spell } from './spell.ts';
import type { World } from './world.ts';

/** What the parts of a worker need of it. */
export interface WorkerSide {
  readonly world: World;
  readonly process: Process;
  readonly node: NodeId;
  readonly incarnation: number;
  readonly address: string;
  /** Into the app's loop. */
  readonly fromKeeper: Pipe<FromKeeper>;
}

type CopyLink = Redialled<Introduction | ToCopySide, import('@limpet/core').FromCopySide>;

/** One incarnation of a node: its app loop with the product's engine and reception, and its keeper. */
export class Worker implements WorkerSide {
  readonly world: World;
  readonly process: Process;
  readonly node: NodeId;
  readonly incarnation: number;
  readonly address: string;
  readonly thread: Thread;
  readonly keeper: Keeper;
  readonly fromKeeper: Pipe<FromKeeper>;
  readonly engine: ReplicatedEngine;
  readonly views = new ViewFeed();
  readonly running = new Running();
  readonly reception: Reception;
  readonly service: Service;
  readonly links = new Map<NodeId, { readonly incarnation: number; readonly link: CopyLink }>();
  readonly #control: Redialled<ToSupervisor, FromSupervisor>;
  isStopping = false;
  /** The event in which its app loop entered the present view. */
  enteredIn = 0;
  /** How many views it entered in that event. */
  enteredViews = 0;

  constructor(world: World, process: Process, node: NodeId, incarnation: number) {
    this.world = world;
    this.process = process;
    this.node = node;
    this.incarnation = incarnation;
    this.address = formatAddress({ id: node, incarnation });
    this.thread = new Thread(`${process.name} app`, process, true);
    this.fromKeeper = new Pipe(world.network, this.thread, (message) => {
      this.engine.receivedOwn(message);
      world.watch.bounded(this.address, this.engine.kept);
    });
    this.keeper = new Keeper(this);
    const { settings, rank, macKey } = world;
    const mint = createMint(
      node,
      world.placementRank,
      [macKey],
      () => this.views.current,
      (bytes) => {
        world.dice.bytes(bytes);
        return bytes;
      },
    );
    // Timers that it sets are its own loop's.
    this.engine = world.as(
      this.thread,
      () =>
        new ReplicatedEngine({
          node,
          incarnation,
          rank,
          mint: (kin) => this.#minted(mint(kin), kin),
          parse: (text) => parseSessionId(text, [macKey]),
          deadlineMs: settings.deadlineMs,
          idleMs: settings.idleMs,
          absoluteMs: settings.absoluteMs,
          keyLifeMs: settings.absoluteMs,
          bounds: world.bounds,
          now: () => world.scheduler.nowMs + epochMs,
          send: (to, message) => this.#send(to, message),
          own: (message) => {
            world.log.line(this.address, () => `⇣ ${spell(message)}`);
            world.watch.handedDown(this.address, message);
            if (message.kind === 'demoted' || message.kind === 'swept') world.aim?.sees(message.kind, this, null);
            this.keeper.inbox.send(world.onTheWay(message));
          },
          done: (view) => this.#control.send({ kind: 'done', view }),
          late: () => {},
        }),
    );
    const { running, views, engine } = this;
    this.reception = new Reception({ node, incarnation, views, engine, rank, running, replayable: world.replayable });
    this.service = new Service(this);
    this.#control = new Redialled(world.network, this.thread, () => world.supervisorPort(), {
      open: (send) => {
        send(hello('app', { name: node, incarnation }, this.engine.view));
        if (!this.isStopping) send({ kind: 'ready', notes: [] });
      },
      message: (message) => this.#told(message),
      close: () => {},
    });
    this.#turn();
  }

  /** A balancer has connected and sent a request. */
  accept(connection: Connection): void {
    this.service.serve(connection);
  }

  /** Why it may not be done with its view. */
  describe(): string {
    const { engine, keeper } = this;
    const app = engine.view === null ? 'none' : formatViewNumber(engine.view);
    const copies = keeper.machine.view === null ? 'none' : formatViewNumber(keeper.machine.view);
    const { sweeping, unconfirmed } = keeper.machine;
    const held = [this.thread, keeper.thread].filter(({ isHeldUp }) => isHeldUp).length;
    return `app ${app} unprotected ${engine.count().unprotected}; keeper ${copies} sweeping ${sweeping} unconfirmed ${unconfirmed}; held up ${held}; runs ${this.service.describe() || 'nothing'}, ${this.service.holding.handlers} handlers`;
  }

  #minted(id: SessionId, kin: SessionId | null): SessionId {
    this.world.log.line(this.address, () => `makes ${short(id)}${kin === null ? '' : ` after ${short(kin)}`}`);
    if (kin === null) this.world.watch.minted(this.address, id, this.views.current);
    return id;
  }

  #turn(): void {
    this.world.scheduler.at(100, this.thread, () => {
      this.keeper.turns += 1;
      this.#turn();
    });
  }

  #send(to: NodeId, message: ToCopySide): void {
    const { world } = this;
    world.watch.sent(this.address, to, message);
    const mark = markOf(message);
    if (mark !== null) world.aim?.sees(mark, this, to);
    world.log.line(this.address, () => `→ ${to} ${spell(message)}`);
    this.links.get(to)?.link.send(world.onTheWay(message));
  }

  #told(message: FromSupervisor): void {
    if (message.kind === 'views') {
      this.world.log.line(this.address, () => `is told ${message.views.map(formatViewNumber).join(' ')}`);
      for (const view of message.views) {
        this.world.watch.seesView(this.thread.name, view);
        this.#enter(view, message);
      }
    } else if (message.kind === 'stop') this.#stop();
  }

  #enter(view: View, message: FromSupervisor & { readonly kind: 'views' }): void {
    this.views.apply([view], message.deaths);
    const { count } = this.world.scheduler;
    this.enteredViews = this.enteredIn === count ? this.enteredViews + 1 : 1;
    this.enteredIn = count;
    this.engine.enter(view);
    this.#follow(view);
  }

  /** A link to each present incarnation, none to a former one: as worker/replication.ts does. */
  #follow(view: View): void {
    const { world, node, incarnation, links } = this;
    for (const [id, known] of links) {
      if (view.members[id]?.incarnation === known.incarnation) continue;
      links.delete(id);
      known.link.close();
    }
    for (const member of Object.values(view.members)) {
      if (member.id === node || links.has(member.id)) continue;
      const target = formatAddress(member);
      const link: CopyLink = new Redialled(
        world.network,
        this.thread,
        () => {
          const worker = world.workers.get(target);
          return worker === undefined ? null : { thread: worker.keeper.thread, listen: () => worker.keeper.listen() };
        },
        {
          open: (send) => {
            send({ kind: 'member', node, incarnation });
            world.log.line(this.address, `link to ${target} up`);
            this.engine.linked(member.id, member.incarnation, true);
          },
          message: (message) => {
            world.log.line(this.address, () => `← ${member.id} ${spell(message)}`);
            this.engine.received(member.id, message);
            world.watch.bounded(this.address, this.engine.kept);
          },
          close: () => {
            world.log.line(this.address, `link to ${target} down`);
            this.engine.linked(member.id, member.incarnation, false);
          },
        },
      );
      links.set(member.id, { incarnation: member.incarnation, link });
    }
  }

  /** Drained: finishes what it runs, then exits. */
  #stop(): void {
    this.isStopping = true;
    this.reception.stop();
    const { scheduler } = this.world;
    const look = () => {
      if (this.running.size === 0) this.process.die('self', 'exit 0', []);
      else scheduler.at(20, this.thread, look);
    };
    scheduler.at(20, this.thread, look);
  }
}

function markOf(message: ToCopySide): Mark | null {
  switch (message.kind) {
    case 'write':
      return message.buried !== null ? 'burial' : message.commit.destroy ? 'tombstone' : 'write';
    case 'relay':
      return message.message.kind;
    case 'delivered':
    case 'touched':
      return null;
    default:
      return message.kind;
  }
}
