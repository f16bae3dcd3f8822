import {
  type Bounds,
  bounds,
  createPlacementRank,
  createRank,
  type Death,
  formatAddress,
  formatViewNumber,
  type LeftProcess,
  type NodeId,
  nodeIdAt,
  type PlacementRank,
  parseReplayables,
  type Rank,
  type RequestId,
  type SipKey,
  sipKey,
  type View,
  type Welcome,
} from '@limpet/core';
import type { Aim } from './aim.ts';
import { Balancer } from './balancer.ts';
import { Coverage } from './coverage.ts';
import { Dice } from './dice.ts';
import { Disk } from './disk.ts';
import { History } from './history.ts';
import { enterWorld } from './host.ts';
import { Log } from './log.ts';
import { Network } from './network.ts';
import { Process } from './process.ts';
import { Scheduler, type Thread } from './scheduler.ts';
import { type Settings, tightBounds } from './settings.ts';
import { Supervisor } from './supervisor.ts';
import { Watch } from './watch.ts';
import { Worker } from './worker.ts';

/** After so long of standing still a process has been silent for longer than suspicion takes, in milliseconds. */
const surelySilentMs = 1_400;

/** One simulated machine with a whole cluster on it. */
export class World {
  readonly settings: Settings;
  readonly scheduler = new Scheduler();
  readonly dice: Dice;
  readonly network: Network;
  readonly log: Log;
  readonly disk = new Disk();
  readonly watch = new Watch(this);
  readonly history: History;
  readonly coverage = new Coverage();
  readonly counts: Record<string, number> = {};
  readonly rank: Rank;
  readonly placementRank: PlacementRank;
  readonly macKey: SipKey;
  readonly welcome: Welcome;
  readonly bounds: Bounds;
  readonly replayable = parseReplayables(['POST /declared']);
  /** Every incarnation there ever was. */
  readonly workers = new Map<string, Worker>();
  readonly #nodes = new Map<NodeId, { incarnation: number; process: Process | null }>();
  readonly #balancers = new Map<string, { incarnation: number; balancer: Balancer | null }>();
  supervisor: Supervisor | null = null;
  /** What the operator wants. */
  wanted: readonly NodeId[];
  readonly out = new Set<NodeId>();
  #newestView: View | null = null;
  /** Members that have died since every session last had all its copies. */
  #deadSince = 0;
  readonly #unproven = new Set<string>();
  failure: string | null = null;
  /** Looks for the moment to strike. */
  aim: Aim | null = null;
  #supervisors = 0;
  readonly #ids: Dice;

  constructor(settings: Settings, keepsLog: boolean) {
    this.settings = settings;
    this.bounds = settings.isTight ? tightBounds : bounds;
    this.dice = new Dice(settings.seed, 1);
    this.#ids = new Dice(settings.seed, 2);
    this.network = new Network(this.scheduler, new Dice(settings.seed, 3), settings.weather);
    this.log = new Log(() => this.scheduler.nowMs, keepsLog);
    this.history = new History(this);
    const rankKey = new Uint8Array(16).fill(7);
    const macKey = new Uint8Array(16).fill(9);
    this.macKey = sipKey(macKey);
    this.rank = createRank(sipKey(rankKey));
    this.placementRank = createPlacementRank(sipKey(rankKey));
    const { deadlineMs, idleMs, absoluteMs } = settings;
    this.welcome = {
      kind: 'welcome',
      rankKey,
      macKeys: [macKey],
      cookieName: 'limpet',
      headerName: null,
      store: 'buddy',
      deadlineMs,
      idleMs,
      absoluteMs,
      replayable: ['POST /declared'],
    } as unknown as Welcome;
    this.wanted = Array.from({ length: settings.nodes }, (_, at) => nodeIdAt(at + 1));
    const random = new Dice(settings.seed, 4);
    enterWorld({
      scheduler: this.scheduler,
      random: () => random.next(),
      warned: (warning) => this.#warned(warning),
    });
  }

  start(): void {
    this.startSupervisor();
    for (const node of this.wanted) this.#spawn(node, this.dice.between(1, 15));
    for (let at = 1; at <= this.settings.balancers; at += 1) this.startBalancer(`b${at}`);
  }

  /** Code below the app says what it could not throw: an error of ours is foreseen, any other is a bug. */
  #warned(warning: string | Error): void {
    if (warning instanceof Error && !('code' in warning)) this.crashed(warning);
    this.log.line('warning', String(warning));
  }

  // ——— For the parts ———

  /** Runs `make` so that the timers it sets belong to the thread. */
  as<T>(thread: Thread, make: () => T): T {
    const before = this.scheduler.current;
    this.scheduler.current = thread;
    try {
      return make();
    } finally {
      this.scheduler.current = before;
    }
  }

  onTheWay<T>(message: T): T {
    return this.settings.copiesMessages ? structuredClone(message) : message;
  }

  requestId(): RequestId {
    return this.#ids.hex() as RequestId;
  }

  supervisorPort() {
    const { supervisor } = this;
    if (supervisor === null || !supervisor.process.isAlive) return null;
    return { thread: supervisor.thread, listen: () => supervisor.listen() };
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  /** The first one counts. */
  fail(what: string): void {
    this.failure ??= what;
  }

  /** The product threw what it must never throw. */
  crashed(error: unknown): void {
    this.fail(`crash: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }

  /** The keeper at `address` ends its connection with the member. */
  cut(member: NodeId, address: string): void {
    for (const { node, links } of this.living) {
      if (node !== member) continue;
      for (const [id, { incarnation, link }] of links) if (formatAddress({ id, incarnation }) === address) link.cut();
    }
  }

  // ——— Processes ———

  get allNodes(): readonly NodeId[] {
    return [...this.#nodes.keys()];
  }

  /** The living workers. */
  get living(): readonly Worker[] {
    return [...this.workers.values()].filter(({ process }) => process.isAlive);
  }

  get balancers(): readonly Balancer[] {
    return [...this.#balancers.values()].flatMap(({ balancer }) => (balancer?.process.isAlive ? [balancer] : []));
  }

  balancerOf(name: string): Balancer | null {
    return this.#balancers.get(name)?.balancer ?? null;
  }

  startSupervisor(): void {
    this.#supervisors += 1;
    const process = new Process(`s${this.#supervisors}`);
    this.log.line(process.name, 'starts');
    this.supervisor = new Supervisor(this, process);
  }

  startBalancer(name: string): void {
    const slot = this.#balancers.get(name) ?? { incarnation: 0, balancer: null };
    this.#balancers.set(name, slot);
    slot.incarnation += 1;
    const process = new Process(`${name}.${slot.incarnation}`);
    slot.balancer = new Balancer(this, process, name, slot.incarnation);
    process.whenDead(() => this.#whenBack(20, 100, () => this.startBalancer(name)));
  }

  /** Only a living supervisor starts anything, and only when it has taken over. */
  #whenBack(low: number, high: number, run: () => void): void {
    const again = () => {
      const { supervisor } = this;
      const isServing = supervisor?.process.isAlive && !supervisor.process.isStopped && supervisor.membership !== null;
      if (isServing) run();
      else this.scheduler.at(25, null, again);
    };
    this.scheduler.at(this.dice.between(low, high), null, again);
  }

  #spawn(node: NodeId, afterMs: number): void {
    const slot = this.#nodes.get(node) ?? { incarnation: 0, process: null };
    this.#nodes.set(node, slot);
    slot.incarnation += 1;
    const { incarnation } = slot;
    const address = formatAddress({ id: node, incarnation });
    const process = new Process(address);
    slot.process = process;
    process.whenDead(() => this.#died(address, node, incarnation, process));
    this.supervisor?.started(node, incarnation);
    this.scheduler.at(afterMs, null, () => {
      if (!process.isAlive) return;
      this.log.line(address, 'runs');
      this.workers.set(address, new Worker(this, process, node, incarnation));
    });
  }

  #died(address: string, node: NodeId, incarnation: number, process: Process): void {
    this.log.line(address, `dies: ${process.end?.how}`);
    if (this.#isMember(address)) {
      this.#deadSince += process.end?.how === 'exit 0' || process.isDoomed ? 0 : 1;
      this.history.died(this.workers.get(address) ?? null);
    }
    this.#unproven.add(address);
    this.scheduler.at(this.dice.between(0.3, 6), null, () => this.#prove(address, node, incarnation, process));
  }

  #isMember(address: string): boolean {
    const view = this.newestView;
    return view !== null && Object.values(view.members).some((member) => formatAddress(member) === address);
  }

  /** The supervisor's look at /proc, at once: a balancer saw a connection end. */
  lookAt(address: string): void {
    const worker = this.workers.get(address);
    if (worker !== undefined && !worker.process.isAlive)
      this.#prove(address, worker.node, worker.incarnation, worker.process);
  }

  #prove(address: string, node: NodeId, incarnation: number, process: Process): void {
    const { supervisor } = this;
    if (!this.#unproven.has(address)) return;
    if (supervisor === null || !supervisor.process.isAlive) return;
    this.scheduler.at(0, supervisor.thread, () => {
      this.#unproven.delete(address);
      supervisor.died(node, incarnation, process.end);
      if (this.isWanted(node)) this.#restart(node);
    });
  }

  isWanted(node: NodeId): boolean {
    return this.wanted.includes(node) && !this.out.has(node);
  }

  isDrained(node: NodeId): boolean {
    return this.out.has(node);
  }

  /** Not before the death of the one before is proven: nothing is started under a name that a view still has for another (P7). */
  #restart(node: NodeId): void {
    this.#whenBack(5, 60, () => {
      const slot = this.#nodes.get(node);
      const isFree = slot?.process?.isAlive !== true && !this.#unproven.has(slot?.process?.name ?? '');
      if (this.isWanted(node) && isFree) this.#spawn(node, 1);
    });
  }

  /** After an adoption: what died before it, and so is none of those that were left, is started again. */
  startMissing(supervisor: Supervisor): void {
    for (const address of this.#unproven) if (!supervisor.knows(address)) this.#unproven.delete(address);
    for (const node of this.wanted) if (this.isWanted(node)) this.#restart(node);
  }

  leftProcesses(): readonly LeftProcess[] {
    const left: LeftProcess[] = [];
    for (const { node, incarnation, process } of this.workers.values()) {
      if (process.isAlive) left.push({ role: 'worker', name: node, incarnation });
    }
    for (const [name, { incarnation, balancer }] of this.#balancers) {
      if (balancer?.process.isAlive) left.push({ role: 'balancer', name, incarnation });
    }
    return left;
  }

  // ——— The operator ———

  drain(node: NodeId): void {
    this.out.add(node);
    this.supervisor?.membershipStep({ kind: 'drain', node });
  }

  undrain(node: NodeId): void {
    this.out.delete(node);
    this.supervisor?.membershipStep({ kind: 'undrain', node });
    this.#restart(node);
  }

  /** Refused: it would be the last. */
  undrained(node: NodeId): void {
    this.out.delete(node);
  }

  scale(nodes: readonly NodeId[]): void {
    this.wanted = nodes;
    this.supervisor?.membershipStep({ kind: 'want', nodes });
    for (const node of nodes) this.#restart(node);
  }

  // ——— What is promised now ———

  /** So many more deaths of members lose nothing that was promised. */
  mayKill(count: number): boolean {
    const view = this.newestView;
    const ringSize = Math.min(view?.ring.length ?? 0, view?.next?.length ?? Number.POSITIVE_INFINITY);
    const custodians = Math.min(this.settings.copies, ringSize);
    return this.settings.mayLose || this.#deadSince + count < custodians;
  }

  /** As good as dead, and the product must come to that end (P8). */
  doom(process: Process): void {
    process.isDoomed = true;
    this.#deadSince += 1;
  }

  /** By decision of the product: its guards are what is tried. */
  killByDecision(address: string, why: string): void {
    const worker = this.workers.get(address);
    if (worker === undefined || !worker.process.isAlive) return;
    this.count(`killed: ${why}`);
    this.history.endedByDecision(worker, this.#isMember(address), 'is killed');
    if (why === 'health') this.#checkMachine(worker);
    worker.process.die(why === 'hung' ? 'self' : 'killed', `killed, ${why}`, null);
  }

  /** Drained: nobody needs it any more. */
  toldToEnd(address: string): void {
    const worker = this.workers.get(address);
    if (worker !== undefined) this.aim?.sees('drained', worker, null);
    if (worker?.process.isAlive) this.history.endedByDecision(worker, false, 'is told to end');
  }

  /** 21: while several are silent together, it is the machine that is slow (P8). */
  #checkMachine(victim: Worker): void {
    const { nowMs } = this.scheduler;
    for (const { address, process } of this.living) {
      const isSilent = process.isStopped && nowMs - process.stoppedAtMs > surelySilentMs;
      if (address !== victim.address && isSilent && this.#isMember(address))
        this.fail(`invariant 21: ${victim.address} is killed for its silence while ${address} is silent, too`);
    }
  }

  settled(_whole: boolean): void {
    const view = this.newestView;
    const allLive = Object.values(view?.members ?? {}).every((member) => {
      const process = this.workers.get(formatAddress(member))?.process;
      return process?.isAlive === true && !process.isDoomed;
    });
    if (allLive) this.#deadSince = 0;
    this.aim?.sees('settled', null, null);
  }

  /** Whether or not it is on disk, and whoever has published it. */
  get newestView(): View | null {
    return this.#newestView;
  }

  published(view: View, before: View | null, deaths: readonly Death[]): void {
    const next = view.next === null ? '' : ` → ${view.next.join(' ')}`;
    const leaving = view.leaving.length === 0 ? '' : ` leaving ${view.leaving.join(' ')}`;
    const dead = deaths.map((death) => ` †${death.node}.${death.incarnation}`).join('');
    this.log.view(
      `${formatViewNumber(view)}: ${view.ring.map((id) => formatAddress(view.members[id] ?? { id, incarnation: 0 })).join(' ')}${next}${leaving}${dead}`,
    );
    this.#newestView = view;
    this.count('views');
    const [leaver] = view.leaving.flatMap((id) => view.members[id] ?? []);
    const from = leaver === undefined ? null : (this.workers.get(formatAddress(leaver)) ?? null);
    this.aim?.sees(view.next !== null ? 'joint' : from !== null ? 'leaving' : 'stable', from, null);
    this.watch.published(before, view, deaths);
  }
}
