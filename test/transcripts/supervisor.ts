import {
  Adoption,
  type AdoptionEffect,
  beatMs,
  type Death,
  type FromSupervisor,
  formatAddress,
  formatViewNumber,
  type HealthEvent,
  HealthMachine,
  hasMember,
  Membership,
  type MembershipEvent,
  type NodeId,
  numberOf,
  unreachable,
  type View,
  type ViewNumber,
} from '@limpet/core';
import type { Balancer } from './balancer.ts';
import type { Stage } from './stage.ts';
import { sayView } from './words.ts';
import type { Worker } from './worker.ts';

/** What survives a supervisor: its disk. */
export interface Disk {
  readonly views: { readonly view: View; readonly deaths: readonly Death[] }[];
  /** Nodes that the operator wants out. */
  readonly drained: Set<NodeId>;
  term: number;
}

/** The processes of a cluster, for whoever watches over them. */
export interface Processes {
  readonly workers: ReadonlyMap<string, Worker>;
  readonly balancers: readonly Balancer[];
}

export interface SupervisorOptions {
  readonly wanted: readonly NodeId[];
  readonly copies: number;
  readonly hangKillMs: number;
  /** Appended to what is told of each view: where the sessions live in it. */
  readonly sayHomes: (view: View) => string;
}

/** One life of the supervisor: its machines, and links on which everything waits to be delivered. */
export class Supervisor {
  readonly #stage: Stage;
  readonly #options: SupervisorOptions;
  readonly #disk: Disk;
  readonly #processes: Processes;
  readonly #health: HealthMachine;
  #membership: Membership | null = null;
  #adoption: Adoption | null = null;
  #settled: { readonly view: ViewNumber; readonly whole: boolean } | null = null;
  isAlive = true;

  constructor(stage: Stage, options: SupervisorOptions, disk: Disk, processes: Processes) {
    this.#stage = stage;
    this.#options = options;
    this.#disk = disk;
    this.#processes = processes;
    this.#health = new HealthMachine({ hangKillMs: options.hangKillMs });
    disk.term += 1;
  }

  get view(): View | null {
    return this.#disk.views.at(-1)?.view ?? null;
  }

  /** A cluster's first. */
  begin(): void {
    this.#membership = this.#membershipOf(this.#disk.term, null);
  }

  /** P17: meets what the former one has left. Who is paused says nothing. */
  takeOver(): void {
    const living = [...this.#processes.workers.values()].filter((worker) => worker.isAlive);
    const processes = [
      ...living.map(({ node, incarnation }) => ({ role: 'worker' as const, name: node, incarnation })),
      ...this.#processes.balancers.map(({ name }) => ({ role: 'balancer' as const, name, incarnation: 1 })),
    ];
    const adoption = new Adoption({ term: this.#disk.term, newest: this.view, processes }, this.#stage.nowMs());
    this.#adoption = adoption;
    const greet = (
      name: string,
      incarnation: number,
      side: 'keeper' | 'balancer',
      view: View | null,
      settled: ViewNumber | null,
    ) => this.#adopt(adoption.step({ kind: 'greeted', name, incarnation, side, view, settled }, this.#stage.nowMs()));
    for (const { node, incarnation, isPaused, views } of living) {
      if (!isPaused) greet(node, incarnation, 'keeper', views.current, null);
    }
    for (const { name, cluster } of this.#processes.balancers)
      greet(name, 1, 'balancer', cluster.view, cluster.settled);
  }

  #adopt(effects: readonly AdoptionEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'learned':
          this.#stage.tell(`supervisor: learns of view ${formatViewNumber(effect.view)}, which is not on disk`);
          this.#disk.views.push({ view: effect.view, deaths: [] });
          break;
        case 'kill':
          this.#kill(effect.name as NodeId, effect.incarnation, 'did not come back');
          break;
        case 'begin':
          this.#begin(effect);
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #begin({ term, adopt, dead }: AdoptionEffect & { readonly kind: 'begin' }): void {
    this.#adoption = null;
    const gone = dead.map((member) => formatAddress(member));
    this.#stage.tell(
      `supervisor: takes over ${adopt === null ? 'nothing' : `view ${formatViewNumber(adopt)}`} in term ${term}${gone.length === 0 ? '' : `; dead: ${gone.join(' ')}`}`,
    );
    this.#membership = this.#membershipOf(term, adopt);
    if (adopt !== null) this.#health.step({ kind: 'view', view: adopt }, this.#stage.nowMs());
    for (const worker of this.#processes.workers.values()) {
      const { node, incarnation } = worker;
      if (!worker.isAlive || adopt === null || !hasMember(adopt, node, incarnation)) continue;
      this.#health.step({ kind: 'ready', node, incarnation, weight: 1 }, this.#stage.nowMs());
    }
    for (const worker of this.#processes.workers.values()) if (worker.isAlive) this.#catchUp(worker);
    const deaths = gone.flatMap((address) => this.#processes.workers.get(address)?.death ?? []);
    this.step({ kind: 'adopted', dead: deaths });
    for (const node of this.#options.wanted) {
      this.step({ kind: this.#disk.drained.has(node) ? 'drain' : 'undrain', node });
    }
  }

  /** What it has missed, in order. */
  #catchUp(worker: Worker): void {
    const seen = worker.views.current;
    for (const { view, deaths } of this.#disk.views) {
      if (seen === null || view.term > seen.term || (view.term === seen.term && view.number > seen.number)) {
        this.#sendView(worker, view, deaths);
      }
    }
  }

  #membershipOf(term: number, adopt: View | null): Membership {
    const { wanted, copies } = this.#options;
    return new Membership({ term, copies, keyId: 1, wanted, adopt });
  }

  /** A worker of this supervisor is there: it has all views. */
  ready(worker: Worker): void {
    const { node, incarnation } = worker;
    for (const { view, deaths } of this.#disk.views) worker.enter(view, deaths);
    const event = { kind: 'ready', node, incarnation, weight: 1 } as const;
    this.#observe(event);
    this.step(event);
  }

  reportDone(node: NodeId, incarnation: number, side: 'app' | 'keeper', view: ViewNumber): void {
    if (!this.isAlive || this.#membership === null) return;
    const event = { kind: 'done', node, incarnation, side, view: numberOf(view) } as const;
    this.#observe(event);
    this.step(event);
  }

  /** It looks at its processes (P7): whoever has died since is declared dead, whoever was drained has left. */
  look(): void {
    if (!this.isAlive) return;
    for (const { node, incarnation, death, isStopping } of this.#processes.workers.values()) {
      if (death === null) continue;
      if (this.#adoption !== null)
        this.#adopt(this.#adoption.step({ kind: 'died', name: node, incarnation }, this.#stage.nowMs()));
      else if (isStopping && death.how === 'exit 0') this.step({ kind: 'left', node, incarnation });
      else {
        this.#observe({ kind: 'died', death });
        this.step({ kind: 'died', death });
      }
    }
  }

  drain(node: NodeId): void {
    this.#disk.drained.add(node);
    this.step({ kind: 'drain', node });
  }

  undrain(node: NodeId): void {
    this.#disk.drained.delete(node);
    this.step({ kind: 'undrain', node });
  }

  /** `beatMs` have passed: everyone who runs has been heard. */
  tick(): void {
    if (!this.isAlive) return;
    for (const { node, incarnation, isAlive, isPaused, turns } of this.#processes.workers.values()) {
      if (isAlive && !isPaused) this.#observe({ kind: 'beat', node, incarnation, turns, inspected: false });
    }
    if (this.#adoption !== null) this.#adopt(this.#adoption.step({ kind: 'tick' }, this.#stage.nowMs()));
    this.#observe({ kind: 'tick', lagMs: 0 });
    this.step({ kind: 'tick' });
  }

  #observe(event: HealthEvent): void {
    for (const effect of this.#health.step(event, this.#stage.nowMs())) {
      const { node } = effect;
      if (effect.kind === 'cleared') this.#stage.tell(`supervisor: ${node} is heard again`);
      else if (effect.kind === 'suspect')
        this.#stage.tell(`supervisor: ${node} is suspect, silent for ${effect.silentMs} ms`);
      else if (effect.kind === 'spared') this.#stage.tell(`supervisor: ${node} is not killed (${effect.guard})`);
      else this.#kill(node, effect.incarnation, `silent for ${effect.silentMs} ms`);
    }
  }

  #kill(node: NodeId, incarnation: number, why: string): void {
    const worker = this.#processes.workers.get(formatAddress({ id: node, incarnation }));
    if (worker?.isAlive !== true) return;
    this.#stage.tell(`supervisor: kills ${node}, ${why}`);
    worker.die('killed', 'SIGKILL');
    this.#stage.ended(node, incarnation);
  }

  step(event: MembershipEvent): void {
    if (!this.isAlive || this.#membership === null) return;
    for (const effect of this.#membership.step(event, this.#stage.nowMs())) {
      switch (effect.kind) {
        case 'publish':
          this.#publish(effect.view, effect.deaths);
          break;
        case 'settled':
          this.#settled = { view: numberOf(effect.view), whole: effect.whole };
          this.#stage.tell(
            `supervisor: view ${formatViewNumber(effect.view)} is settled, every session has its copies${effect.whole ? '' : '; a node is missing'}`,
          );
          this.#tellBalancers({ kind: 'settled', ...this.#settled });
          break;
        case 'drained':
          this.#stage.tell(`supervisor: ${effect.node} is drained, nobody needs anything of it`);
          this.#letGo(effect.node, effect.incarnation);
          break;
        case 'refused':
          this.#stage.tell(`supervisor: ${effect.node} is not drained, it is the last one`);
          break;
        default:
          unreachable(effect);
      }
    }
  }

  #publish(view: View, deaths: readonly Death[]): void {
    this.#settled = null;
    // On disk before anyone sees it.
    this.#disk.views.push({ view, deaths });
    this.#disk.term = Math.max(this.#disk.term, view.term);
    const died = deaths.map(({ node, how }) => `${node} died (${how}) · `).join('');
    this.#stage.tell(`supervisor: ${died}${sayView(view)}${this.#options.sayHomes(view)}`);
    this.#health.step({ kind: 'view', view }, this.#stage.nowMs());
    for (const worker of this.#processes.workers.values()) if (worker.isAlive) this.#sendView(worker, view, deaths);
    this.#tellBalancers({ kind: 'views', views: [view], deaths });
  }

  #sendView(worker: Worker, view: View, deaths: readonly Death[]): void {
    this.#stage.network.send('supervisor', worker.node, {
      take: () => {
        if (!worker.isAlive) return false;
        this.#stage.tell(`${worker.node} enters view ${formatViewNumber(view)}`);
        worker.enter(view, deaths);
        return true;
      },
    });
  }

  #tellBalancers(message: Extract<FromSupervisor, { kind: 'views' | 'settled' }>): void {
    for (const balancer of this.#processes.balancers) {
      this.#stage.network.send('supervisor', balancer.name, {
        take: () => {
          balancer.tell(message);
          return true;
        },
      });
    }
  }

  #letGo(node: NodeId, incarnation: number): void {
    const worker = this.#processes.workers.get(formatAddress({ id: node, incarnation }));
    if (worker === undefined) return;
    this.#stage.network.send('supervisor', node, {
      take: () => {
        if (!worker.isAlive) return false;
        worker.stop();
        return true;
      },
    });
  }
}

export { beatMs };
