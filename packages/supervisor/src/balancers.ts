import { decideRestart, longLifeMs } from './back-off.ts';
import { balancerLaunch } from './commands.ts';
import { formatEnding } from './ending.ts';
import type { ClusterEvent } from './events.ts';
import { launch, type Running } from './launch.ts';
import type { OutputFile } from './output.ts';
import type { Places } from './places.ts';
import type { Stoppable } from './stop.ts';

/** A balancer's place in the supervisor. */
export interface BalancerSlot {
  readonly name: string;
  readonly output: OutputFile;
  incarnation: number;
  everReady: boolean;
  readyAt: number | null;
  shortLives: number;
  firstStartAt: number | null;
  complaint: { readonly code: string; readonly message: string } | null;
  running: Running | null;
  restart: NodeJS.Timeout | null;
}

export interface BalancerHooks {
  emit(event: ClusterEvent): void;
  ready(): void;
  /** It has never worked and is not started again. */
  failed(slot: BalancerSlot, reason: string): void;
}

/** Starts the balancers, and starts them again when they die: they hold no state, and the port is not theirs. */
export class Balancers {
  readonly slots: readonly BalancerSlot[];
  readonly #places: Places;
  readonly #hooks: BalancerHooks;
  #listenFd = -1;
  #stopping = false;

  constructor(places: Places, hooks: BalancerHooks) {
    this.#places = places;
    this.#hooks = hooks;
    this.slots = Array.from({ length: places.options.balancers }, (_, index) => {
      const name = `b${index + 1}`;
      return {
        name,
        output: places.openOutput(name, (line) => hooks.emit({ kind: 'output', node: name, line })),
        incarnation: 0,
        everReady: false,
        readyAt: null,
        shortLives: 0,
        firstStartAt: null,
        complaint: null,
        running: null,
        restart: null,
      };
    });
  }

  /** Those that run. */
  get processes(): readonly Stoppable[] {
    return this.slots.flatMap(({ name, running }) => (running === null ? [] : [{ name, running }]));
  }

  get allReady(): boolean {
    return this.slots.every((slot) => slot.readyAt !== null);
  }

  startAll(listenFd: number): void {
    this.#listenFd = listenFd;
    for (const slot of this.slots) this.#start(slot);
  }

  stopStarting(): void {
    this.#stopping = true;
    for (const slot of this.slots) if (slot.restart !== null) clearTimeout(slot.restart);
  }

  slotOf(name: string, incarnation: number): BalancerSlot | null {
    const slot = this.slots.find((candidate) => candidate.name === name);
    return slot?.running?.incarnation === incarnation ? slot : null;
  }

  ready(slot: BalancerSlot): void {
    slot.readyAt ??= performance.now();
    slot.everReady = true;
    this.#hooks.ready();
  }

  #start(slot: BalancerSlot): void {
    if (this.#stopping) return;
    slot.restart = null;
    slot.incarnation += 1;
    slot.firstStartAt ??= performance.now();
    const what = balancerLaunch(this.#places, {
      name: slot.name,
      incarnation: slot.incarnation,
      logFd: slot.output.fd,
      listenFd: this.#listenFd,
    });
    const running = launch(what, this.#places.watch, this.#places.table, (ending) =>
      this.#buried(slot, formatEnding(ending)),
    );
    if ('failed' in running) running.failed.then((reason) => this.#again(slot, reason));
    else slot.running = running;
  }

  #buried(slot: BalancerSlot, how: string): void {
    slot.running = null;
    slot.output.finish();
    if (!this.#stopping && slot.readyAt !== null) {
      this.#hooks.emit({ kind: 'balancer-died', balancer: slot.name, how });
    }
    this.#again(slot, slot.complaint?.message ?? `it ended (${how})`);
  }

  #again(slot: BalancerSlot, reason: string): void {
    if (this.#stopping) return;
    const now = performance.now();
    const isLong = slot.readyAt !== null && now - slot.readyAt >= longLifeMs;
    slot.shortLives = isLong ? 0 : slot.shortLives + 1;
    slot.readyAt = null;
    const decision = decideRestart({
      everReady: slot.everReady,
      starts: slot.incarnation,
      sinceFirstStartMs: now - (slot.firstStartAt ?? now),
      shortLives: slot.shortLives,
    });
    // A port that is taken stays taken: the other starts would only say so again.
    if (decision.kind === 'giveUp' || (!slot.everReady && slot.complaint?.code === 'EADDRINUSE')) {
      this.#hooks.failed(slot, reason);
      return;
    }
    if (decision.delayMs === 0) this.#start(slot);
    else slot.restart = setTimeout(() => this.#start(slot), decision.delayMs);
  }
}
