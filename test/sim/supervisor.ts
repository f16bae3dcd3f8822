import {
  Adoption,
  type AdoptionEffect,
  beatMs,
  type Death,
  type FromSupervisor,
  formatAddress,
  formatViewNumber,
  type HealthEffect,
  type HealthEvent,
  HealthMachine,
  hasMember,
  type LeftProcess,
  Membership,
  type MembershipEffect,
  type MembershipEvent,
  type NodeId,
  parseNodeId,
  type Side,
  type ToSupervisor,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { Listener } from './link.ts';
import type { Process } from './process.ts';
import { Thread } from './scheduler.ts';
import { ViewLog } from './views.ts';
import type { World } from './world.ts';

/** What the supervisor knows of one incarnation. */
interface Life {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly sides: Set<Side>;
  listening: boolean;
  ready: boolean;
  /** Told to end after a drain. */
  stopped: boolean;
}

interface Peer {
  readonly role: string;
  readonly name: string;
  readonly incarnation: number;
  readonly send: (message: FromSupervisor) => void;
  /** The newest view it has, or was sent. */
  seen: ViewNumber | null;
}

const membershipTickMs = 250;

/** One life of the supervisor: feeds the membership, health and adoption machines and performs what they say. */
export class Supervisor {
  readonly world: World;
  readonly process: Process;
  readonly thread: Thread;
  readonly term: number;
  membership: Membership | null = null;
  adoption: Adoption | null = null;
  readonly #health = new HealthMachine({ hangKillMs: 4_000 });
  readonly #lives = new Map<string, Life>();
  readonly #peers = new Set<Peer>();
  readonly #views: ViewLog;
  /** Deaths proven while the adoption is not over. */
  readonly #early: Death[] = [];
  readonly #queue: MembershipEffect[] = [];
  #isPerforming = false;
  settled: { readonly view: ViewNumber; readonly whole: boolean } | null = null;
  #tickedAt = 0;

  constructor(world: World, process: Process) {
    this.world = world;
    this.process = process;
    this.thread = new Thread(process.name, process, false);
    const { disk, settings } = world;
    disk.term += 1;
    this.term = disk.term;
    this.#views = new ViewLog(disk.views);
    if (disk.newest === null) {
      const { copies } = settings;
      this.membership = new Membership({ term: this.term, copies, keyId: 1, wanted: world.wanted, adopt: null });
    } else {
      const processes = world.leftProcesses();
      for (const left of processes) this.#noteLeft(left);
      this.adoption = new Adoption({ term: this.term, newest: disk.newest, processes }, world.scheduler.nowMs);
      this.#adopt({ kind: 'tick' });
    }
    this.#every(membershipTickMs, () => this.membershipStep({ kind: 'tick' }));
    this.#every(50, () => this.#adopt({ kind: 'tick' }));
    this.#tickedAt = world.scheduler.nowMs;
    this.#every(beatMs, () => {
      const { nowMs } = world.scheduler;
      const lagMs = nowMs - this.#tickedAt - beatMs;
      this.#tickedAt = nowMs;
      this.healthStep({ kind: 'tick', lagMs });
    });
  }

  get view(): View | null {
    return this.membership?.view ?? null;
  }

  /** A worker's side or a balancer has dialled. */
  listen(): Listener<ToSupervisor, FromSupervisor> {
    let peer: Peer | null = null;
    let hello: (ToSupervisor & { readonly kind: 'hello' }) | null = null;
    let answer: (message: FromSupervisor) => void = () => {};
    return {
      accepted: (send) => {
        answer = send;
      },
      message: (message) => {
        if (message.kind === 'hello') {
          hello = message;
          peer = this.#admit(message, answer);
        } else if (hello !== null) this.#take(hello, message);
      },
      close: () => {
        if (peer !== null) this.#peers.delete(peer);
      },
    };
  }

  #admit(hello: ToSupervisor & { readonly kind: 'hello' }, send: (message: FromSupervisor) => void): Peer | null {
    const { role, name, incarnation } = hello;
    const peer: Peer = { role, name, incarnation, send, seen: hello.seen };
    this.#peers.add(peer);
    const { seen, settled } = hello;
    // While it takes over, it only listens.
    if (this.membership !== null && !this.#catchUp(peer)) return null;
    if (this.settled !== null) send({ kind: 'settled', ...this.settled });
    if (role === 'balancer') this.#tellSuspects(peer);
    else this.#lifeOf(name, incarnation)?.sides.add(role as Side);
    this.#checkReady(this.#lifeOf(name, incarnation));
    this.#adopt({ kind: 'greeted', name, incarnation, side: role, view: seen, settled });
    return peer;
  }

  /** Sends what it has not seen; false: it is too far behind, and its next incarnation joins anew. */
  #catchUp(peer: Peer): boolean {
    const missed = this.#views.missedSince(peer.seen);
    if (missed === null) {
      this.#peers.delete(peer);
      this.world.killByDecision(`${peer.name}.${peer.incarnation}`, 'too far behind');
      return false;
    }
    if (missed.views.length > 0) peer.send(missed);
    peer.seen = missed.views.at(-1) ?? peer.seen;
    return true;
  }

  #take({ role, name, incarnation }: ToSupervisor & { readonly kind: 'hello' }, message: ToSupervisor): void {
    const node = parseNodeId(name);
    const life = this.#lifeOf(name, incarnation);
    switch (message.kind) {
      case 'ready':
        if (life !== null) life.listening = true;
        this.#checkReady(life);
        return;
      case 'done': {
        if (node === null || life === null) return;
        const done = { kind: 'done', node, incarnation, side: role as Side, view: message.view } as const;
        this.healthStep(done);
        this.membershipStep(done);
        return;
      }
      case 'beat':
        if (node !== null) this.healthStep({ ...message, node, incarnation });
        return;
      case 'reset':
        this.world.lookAt(formatAddress({ id: message.node, incarnation: message.incarnation }));
        return;
      default:
        return;
    }
  }

  /** It has been started by this supervisor. */
  started(node: NodeId, incarnation: number): void {
    this.#note(node, incarnation);
  }

  /** It has not been told that this incarnation is dead. */
  knows(address: string): boolean {
    return this.#lives.has(address);
  }

  #note(node: NodeId, incarnation: number): Life {
    const life: Life = { node, incarnation, sides: new Set(), listening: false, ready: false, stopped: false };
    this.#lives.set(formatAddress({ id: node, incarnation }), life);
    return life;
  }

  #noteLeft({ role, name, incarnation }: LeftProcess): void {
    const node = parseNodeId(name);
    if (role === 'worker' && node !== null) this.#note(node, incarnation);
  }

  #lifeOf(name: string, incarnation: number): Life | null {
    return this.#lives.get(`${name}.${incarnation}`) ?? null;
  }

  #checkReady(life: Life | null): void {
    if (life === null || life.ready || !life.listening || !life.sides.has('keeper') || !life.sides.has('app')) return;
    if (this.membership === null) return;
    life.ready = true;
    const { node, incarnation } = life;
    const ready = { kind: 'ready', node, incarnation, weight: 1 } as const;
    this.healthStep(ready);
    const { view } = this;
    // A member that was adopted is where it belongs.
    if (view === null || !hasMember(view, node, incarnation)) this.membershipStep(ready);
  }

  /** Proven dead (P7). */
  died(node: NodeId, incarnation: number, end: Process['end']): void {
    const address = formatAddress({ id: node, incarnation });
    const life = this.#lives.get(address);
    if (life === undefined || end === null) return;
    this.#lives.delete(address);
    const death: Death = { node, incarnation, ...end };
    if (this.adoption !== null && !this.adoption.begun) {
      this.#early.push(death);
      this.#adopt({ kind: 'died', name: node, incarnation });
      return;
    }
    const ended = life.stopped ? ({ kind: 'left', node, incarnation } as const) : ({ kind: 'died', death } as const);
    this.healthStep(ended);
    this.membershipStep(ended);
  }

  // ——— Adoption ———

  #adopt(event: Parameters<Adoption['step']>[0]): void {
    const { adoption } = this;
    if (adoption === null || adoption.begun) return;
    for (const effect of adoption.step(event, this.world.scheduler.nowMs)) this.#performAdoption(effect);
  }

  #performAdoption(effect: AdoptionEffect): void {
    switch (effect.kind) {
      case 'learned': {
        const { view } = effect;
        this.#views.learn(view);
        this.world.disk.write(this.#views.entries);
        return;
      }
      case 'kill':
        this.world.killByDecision(`${effect.name}.${effect.incarnation}`, 'adoption');
        return;
      case 'begin': {
        const { term, adopt, dead } = effect;
        const { settings, wanted } = this.world;
        this.membership = new Membership({ term, copies: settings.copies, keyId: 1, wanted, adopt });
        this.world.disk.term = Math.max(this.world.disk.term, term);
        const deaths = dead.map(
          ({ id, incarnation }): Death =>
            this.#early.find((death) => death.node === id && death.incarnation === incarnation) ?? {
              node: id,
              incarnation,
              cause: 'unknown',
              how: 'unknown',
              running: null,
            },
        );
        for (const peer of this.#peers) this.#catchUp(peer);
        // Whoever is silent from the start is silent all the same: supervisor/take-in.ts.
        for (const { node, incarnation } of this.#lives.values()) {
          const isMember = adopt !== null && hasMember(adopt, node, incarnation);
          if (isMember) this.healthStep({ kind: 'ready', node, incarnation, weight: 1 });
        }
        if (adopt !== null) this.membershipStep({ kind: 'adopted', dead: deaths });
        for (const node of this.world.allNodes) {
          this.membershipStep({ kind: this.world.isDrained(node) ? 'drain' : 'undrain', node });
        }
        for (const life of this.#lives.values()) this.#checkReady(life);
        this.world.startMissing(this);
      }
    }
  }

  // ——— Membership ———

  membershipStep(event: MembershipEvent): void {
    const { membership, world } = this;
    if (membership === null) return;
    this.#queue.push(...membership.step(event, world.scheduler.nowMs));
    if (!this.#isPerforming) this.#performNext();
  }

  /** One effect after the other: a view is on disk before anyone sees it, and this loop stands still until it is. */
  #performNext(): void {
    const effect = this.#queue.shift();
    this.#isPerforming = effect !== undefined;
    if (effect === undefined) return;
    const { world } = this;
    switch (effect.kind) {
      case 'publish': {
        this.settled = null;
        this.thread.isBlocked = true;
        world.scheduler.at(world.disk.delayMs, null, () => {
          if (!this.process.isAlive) return;
          this.#published(effect.view, effect.deaths);
          this.thread.isBlocked = false;
          world.scheduler.wake(this.thread);
          this.#performNext();
        });
        return;
      }
      case 'settled': {
        const { term, number } = effect.view;
        this.settled = { view: { term, number }, whole: effect.whole };
        if (this.view !== null) world.watch.complete(this.view, 'it is settled');
        this.#broadcast({ kind: 'settled', ...this.settled });
        world.settled(effect.whole);
        break;
      }
      case 'drained':
        this.#stop(effect.node, effect.incarnation);
        break;
      case 'refused':
        world.undrained(effect.node);
        break;
    }
    this.#performNext();
  }

  #published(view: View, deaths: readonly Death[]): void {
    const { world } = this;
    const before = this.#views.newest;
    this.#views.push({ view, deaths });
    if (!world.disk.write(this.#views.entries)) world.watch.unwritten(view);
    world.published(view, before, deaths);
    this.healthStep({ kind: 'view', view });
    this.#broadcast({ kind: 'views', views: [view], deaths });
  }

  #stop(node: NodeId, incarnation: number): void {
    const life = this.#lifeOf(node, incarnation);
    if (life === null) return;
    life.stopped = true;
    this.world.toldToEnd(formatAddress({ id: node, incarnation }));
    for (const peer of this.#peers)
      if (peer.role === 'app' && peer.name === node) peer.send({ kind: 'stop', graceMs: 5_000 });
  }

  #broadcast(message: FromSupervisor): void {
    for (const peer of this.#peers) {
      peer.send(message);
      if (message.kind === 'views') peer.seen = message.views.at(-1) ?? peer.seen;
    }
  }

  // ——— Health ———

  healthStep(event: HealthEvent): void {
    const effects = this.#health.step(event, this.world.scheduler.nowMs);
    for (const effect of effects) this.#performHealth(effect);
  }

  #performHealth(effect: HealthEffect): void {
    if (effect.kind === 'kill') {
      const address = formatAddress({ id: effect.node, incarnation: effect.incarnation });
      this.world.killByDecision(address, effect.clock === 'loop' ? 'hung' : 'health');
    }
    if (effect.kind !== 'suspect' && effect.kind !== 'cleared') return;
    for (const peer of this.#peers) if (peer.role === 'balancer') this.#tellSuspects(peer);
  }

  #tellSuspects(peer: Peer): void {
    const suspects = this.#health.suspects(this.world.scheduler.nowMs);
    peer.send({ kind: 'suspects', members: suspects.map(({ node: id, incarnation }) => ({ id, incarnation })) });
  }

  #every(ms: number, run: () => void): void {
    const { scheduler } = this.world;
    const again = () => {
      scheduler.at(ms, this.thread, again);
      run();
    };
    scheduler.at(ms, this.thread, again);
  }

  describe(): string {
    const { view } = this;
    return view === null ? 'no view' : formatViewNumber(view);
  }
}
