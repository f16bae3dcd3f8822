import {
  assign,
  createRank,
  formatAddress,
  type NodeId,
  nodeIdAt,
  type RequestId,
  type SessionId,
  sipKey,
  type View,
} from '@limpet/core';
import { Balancer } from './balancer.ts';
import { Ledger } from './ledger.ts';
import { Names, nodeNamed, rankKey } from './names.ts';
import { Network } from './network.ts';
import type { Ask, Deed, Stage } from './stage.ts';
import { beatMs, type Disk, Supervisor } from './supervisor.ts';
import { Worker } from './worker.ts';

/** The timers of the thread that a story runs on. */
export interface Clock {
  nowMs(): number;
  /** Lets time pass, and everything happen that is due. 0: what is due now. */
  advance(ms: number): Promise<void>;
}

/** A cluster of several copies settles after this many deliveries, or never. */
const deliveriesMax = 5_000;
const hangKillMs = 30_000;

/** A whole cluster on one thread, in the hands of a script. */
export class Story {
  readonly #clock: Clock;
  readonly #stage: Stage;
  readonly #names = new Names();
  readonly #network = new Network();
  readonly #rank = createRank(sipKey(rankKey));
  readonly #workers = new Map<string, Worker>();
  readonly #balancers: Balancer[] = [];
  readonly #ledger = new Ledger(this.#rank, this.#names, this.#workers);
  readonly #disk: Disk = { views: [], drained: new Set(), term: 0 };
  readonly #asks = new Map<string, Ask>();
  readonly #tasks: (() => void)[] = [];
  #wanted: readonly NodeId[] = [];
  #copies = 2;
  #supervisor: Supervisor | null = null;
  #lines: string[] = [];
  #isQuiet = false;
  #minted: SessionId | null = null;
  #failure: unknown = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stage = {
      names: this.#names,
      network: this.#network,
      rank: this.#rank,
      tell: (line) => {
        if (!this.#isQuiet) this.#lines.push(line);
      },
      nowMs: () => clock.nowMs(),
      soon: (run) => this.#tasks.push(run),
      receiver: (node, incarnation) => this.#workers.get(formatAddress({ id: node, incarnation })),
      reportDone: (...report) => this.#supervisor?.reportDone(...report),
      ended: (node, incarnation) => this.#unlink(node, incarnation),
      mint: () => {
        if (this.#minted === null) throw new Error('no new session is expected here');
        return this.#minted;
      },
      released: ({ view }, ask, id, version) => this.#ledger.released(view, ask, id, version),
      failed: (error) => {
        this.#failure ??= error;
      },
    };
  }

  /** Runs what happens, and gives all that there is to tell of it. */
  async tell(act: () => void | Promise<void>): Promise<readonly string[]> {
    this.#lines = [];
    await act();
    await this.#settle();
    return this.#lines;
  }

  /** Everything goes on within the processes until there is nothing left to do. */
  async #settle(): Promise<void> {
    do {
      for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) task();
      await this.#clock.advance(0);
      if (this.#failure !== null) throw this.#failure;
    } while (this.#tasks.length > 0);
  }

  async #quietly(act: () => void | Promise<void>): Promise<void> {
    this.#isQuiet = true;
    await act();
    await this.#settle();
    await this.deliverAll();
    this.#isQuiet = false;
  }

  end(): void {
    for (const worker of this.#workers.values()) worker.engine.stop();
  }

  // ——— The cluster ———

  async cluster(nodes: readonly NodeId[], copies: number, balancers: number): Promise<void> {
    this.#wanted = nodes;
    this.#copies = copies;
    for (let at = 1; at <= balancers; at += 1) this.#balancers.push(new Balancer(this.#stage, `b${at}`, this.#workers));
    await this.#quietly(() => {
      this.#newSupervisor().begin();
      for (const node of nodes) this.start(node);
    });
    const view = this.#view();
    this.#stage.tell(
      `view ${view.term}.${view.number} · ring ${view.ring.join(' ')} · every session on ${copies} nodes`,
    );
  }

  #newSupervisor(): Supervisor {
    const options = {
      wanted: this.#wanted,
      copies: this.#copies,
      hangKillMs,
      sayHomes: (view: View) => this.#sayHomes(view),
    };
    this.#supervisor = new Supervisor(this.#stage, options, this.#disk, {
      workers: this.#workers,
      balancers: this.#balancers,
    });
    return this.#supervisor;
  }

  get supervisor(): Supervisor {
    const supervisor = this.#supervisor;
    if (supervisor?.isAlive !== true) throw new Error('there is no supervisor');
    return supervisor;
  }

  #view(): View {
    const view = this.#disk.views.at(-1)?.view;
    if (view === undefined) throw new Error('there is no cluster yet');
    return view;
  }

  #sayHomes(view: View): string {
    return [...this.#names.sessions()]
      .map(([name, id]) => {
        const [primary, ...others] = assign(this.#rank, view, id).writeSet;
        return ` · ${name} on ${primary}${others.length === 0 ? ' alone' : `, copy ${others.join(' ')}`}`;
      })
      .join('');
  }

  worker(node: NodeId): Worker {
    const worker = [...this.#workers.values()].findLast((other) => other.node === node);
    if (worker?.isAlive !== true) throw new Error(`${node} is not running`);
    return worker;
  }

  start(node: NodeId): void {
    const lives = [...this.#workers.values()].filter((worker) => worker.node === node);
    if (lives.some(({ isAlive }) => isAlive)) throw new Error(`${node} runs already`);
    const worker = new Worker(this.#stage, node, lives.length + 1);
    this.#workers.set(worker.address, worker);
    if (lives.length > 0) this.#stage.tell(`${node} is ready again, incarnation ${worker.incarnation}`);
    this.supervisor.ready(worker);
  }

  kill(node: NodeId): void {
    const worker = this.worker(node);
    worker.die('killed', 'SIGKILL');
    this.#stage.tell(`${node} is dead`);
    this.#unlink(node, worker.incarnation);
  }

  /** A process has ended: its links end, and the supervisor, if there is one, sees it when it looks. */
  #unlink(node: NodeId, incarnation: number): void {
    for (const worker of this.#workers.values()) worker.unlinked(node, incarnation);
    // What it was sent is lost with it; what it had sent is in the buffers of its readers.
    for (const way of this.#network.busy()) if (way.endsWith(`→${node}`)) this.#network.lose(way);
  }

  killSupervisor(): void {
    this.supervisor.isAlive = false;
    this.#stage.tell('the supervisor is dead; everyone keeps the last view it has');
  }

  returnSupervisor(): void {
    if (this.#supervisor?.isAlive) throw new Error('there is a supervisor already');
    this.#newSupervisor().takeOver();
  }

  // ——— Sessions and requests ———

  async session(name: string, places: readonly NodeId[], deeds: readonly Deed[]): Promise<void> {
    const view = this.#view();
    const fits = (id: SessionId) => {
      const ranked = this.#rank(id, view.ring, view.members);
      return places.every((node, place) => ranked[place] === node);
    };
    const id = this.#names.drawSession(name, fits);
    const [home] = places;
    if (home === undefined) throw new Error(`${name} has no home`);
    const request = this.#names.newRequest(`the birth of ${name}`);
    const ask: Ask = {
      name: `the birth of ${name}`,
      request,
      method: 'POST',
      session: null,
      deeds: [...deeds],
      isWhole: true,
    };
    await this.#quietly(() => {
      this.#minted = id;
      const note = { view, attempt: 1, prior: null, deadlineMs: 10_000 };
      void this.worker(home).serve(ask, note);
    });
    this.#minted = null;
    const put = deeds.flatMap((deed) => (deed.kind === 'put' ? [[deed.attribute, deed.value] as const] : []));
    this.#ledger.born(id, new Map(put));
    this.#stage.tell(this.#ledger.check(name, view));
  }

  /** `whole`: its handler answers when it has done what is said here; else the script goes on with it. */
  request(name: string, method: string, session: string | null, via: string, deeds: Deed[], whole: boolean): void {
    if (this.#asks.has(name)) throw new Error(`there is a request ${name} already`);
    const balancer = this.#balancers.find((other) => other.name === via);
    if (balancer === undefined) throw new Error(`there is no balancer ${via}`);
    const request: RequestId = this.#names.newRequest(name);
    const id = session === null ? null : this.#names.session(session);
    const ask: Ask = { name, request, method, session: id, deeds, isWhole: whole };
    this.#asks.set(name, ask);
    this.#ledger.begun(ask);
    balancer
      .take(ask)
      .then(
        (outcome) => {
          this.#stage.tell(`${via} → client: ${name} ${outcome.status} ${outcome.text}`);
          this.#ledger.over(ask, outcome);
        },
        (error: unknown) => this.#stage.failed(error),
      )
      .catch((error: unknown) => this.#stage.failed(error));
  }

  goOn(name: string, deeds: readonly Deed[], whole: boolean): void {
    const ask = this.#asks.get(name);
    if (ask === undefined || ask.isWhole) throw new Error(`${name} is not at work`);
    ask.deeds.push(...deeds);
    ask.isWhole = whole;
    for (const worker of this.#workers.values()) if (worker.isAlive) worker.work(ask);
  }

  // ——— Time and messages ———

  async deliver(way: string, count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      if (this.#isStopped(way)) throw new Error(`${way} leads to a process that is stopped`);
      const parcel = this.#network.take(way);
      if (parcel === null) {
        if (left === count) throw new Error(`nothing is on its way ${way}`);
        return;
      }
      parcel.take();
      await this.#settle();
    }
  }

  /** One message of each way in turn, until nothing is under way but to processes that are stopped. */
  async deliverAll(but: readonly string[] = []): Promise<void> {
    for (let left = deliveriesMax; left > 0; left -= 1) {
      const ways = this.#network.busy().filter((way) => !this.#isStopped(way) && !but.includes(way));
      if (ways.length === 0) return;
      for (const way of ways) {
        this.#network.take(way)?.take();
        await this.#settle();
      }
    }
    throw new Error('the cluster does not come to rest');
  }

  #isStopped(way: string): boolean {
    const node = way.split('→')[1];
    return [...this.#workers.values()].some((worker) => worker.node === node && worker.isAlive && worker.isPaused);
  }

  lose(way: string): void {
    const lost = this.#network.lose(way);
    if (lost === 0) throw new Error(`nothing is on its way ${way}`);
    this.#stage.tell(`${lost} ${lost === 1 ? 'message is' : 'messages are'} lost`);
  }

  async wait(ms: number): Promise<void> {
    if (ms % beatMs !== 0) throw new Error(`time passes in steps of ${beatMs} ms`);
    for (let left = ms; left > 0; left -= beatMs) {
      await this.#clock.advance(beatMs);
      for (const worker of this.#workers.values()) worker.tick();
      if (this.#supervisor !== null) this.#supervisor.tick();
      await this.#settle();
    }
  }

  /** The invariants, for one session, when nothing is under way. */
  check(name: string): void {
    const [way] = this.#network.busy();
    if (way !== undefined) throw new Error(`something is on its way ${way}`);
    this.#stage.tell(this.#ledger.check(name, this.#view()));
  }

  /** Every session is checked: what a story must have done at its end. */
  unchecked(checked: ReadonlySet<string>): readonly string[] {
    return [...this.#names.sessions().keys()].filter((name) => !checked.has(name));
  }
}

export const allNodes = (count: number): readonly NodeId[] =>
  Array.from({ length: count }, (_, at) => nodeIdAt(at + 1));
export { nodeNamed };
