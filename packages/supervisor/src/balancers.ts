import type { Adopted } from './adopted-process.ts';
import { decideRestart, longLifeMs } from './back-off.ts';
import { balancerLaunch } from './commands.ts';
import { formatEnding } from './ending.ts';
import type { ClusterEvent } from './events.ts';
import type { Running } from './launch.ts';
import type { OutputFile } from './output.ts';
import type { Places } from './places.ts';
import type { Port } from './port.ts';
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
  readonly #slots: BalancerSlot[];
  readonly #places: Places;
  readonly #hooks: BalancerHooks;
  readonly #port: Port;
  #stopping = false;

  constructor(places: Places, port: Port, hooks: BalancerHooks) {
    this.#places = places;
    this.#port = port;
    this.#hooks = hooks;
    this.#slots = Array.from({ length: places.options.balancers }, (_, index) => this.#newSlot(`b${index + 1}`));
  }

  #newSlot(name: string): BalancerSlot {
    return {
      name,
      output: this.#places.openOutput(name, (line) => this.#hooks.emit({ kind: 'output', node: name, line })),
      incarnation: 0,
      everReady: false,
      readyAt: null,
      shortLives: 0,
      firstStartAt: null,
      complaint: null,
      running: null,
      restart: null,
    };
  }

  get slots(): readonly BalancerSlot[] {
    return this.#slots;
  }

  /** Those that run. */
  get processes(): readonly Stoppable[] {
    return stoppable(this.#slots);
  }

  get allReady(): boolean {
    return this.#slots.every((slot) => slot.readyAt !== null);
  }

  /** Starts those that do not run. */
  startAll(): void {
    for (const slot of this.#slots) if (slot.running === null) void this.#start(slot);
  }

  /** Takes over a balancer that an earlier supervisor has started. It says itself that it is ready. */
  adopt(adopted: Adopted): void {
    const { name } = adopted.entry;
    const known = this.#slots.find((slot) => slot.name === name);
    const slot = known ?? this.#newSlot(name);
    if (slot.running !== null) {
      adopted.kill('SIGKILL');
      return;
    }
    if (known === undefined) this.#slots.push(slot);
    slot.incarnation = adopted.incarnation;
    slot.everReady = true;
    slot.running = adopted;
    adopted.onDeath((ending) => this.#buried(slot, formatEnding(ending)));
  }

  /** More than are wanted: told to finish what they have and end, and not started again. */
  get surplus(): readonly Stoppable[] {
    return stoppable(this.#slots.slice(this.#places.options.balancers));
  }

  stopStarting(): void {
    this.#stopping = true;
    for (const slot of this.#slots) if (slot.restart !== null) clearTimeout(slot.restart);
  }

  slotOf(name: string, incarnation: number): BalancerSlot | null {
    const slot = this.#slots.find((candidate) => candidate.name === name);
    return slot?.running?.incarnation === incarnation ? slot : null;
  }

  ready(slot: BalancerSlot): void {
    slot.readyAt ??= performance.now();
    slot.everReady = true;
    this.#hooks.ready();
  }

  async #start(slot: BalancerSlot): Promise<void> {
    if (this.#stopping) return;
    const { name, output } = slot;
    slot.restart = null;
    const incarnation = this.#places.table.nextIncarnation(name);
    slot.incarnation = incarnation;
    slot.firstStartAt ??= performance.now();
    const what = balancerLaunch(this.#places, { name, incarnation, logFd: output.fd });
    const started = await this.#port.start(what, (ending) => this.#buried(slot, formatEnding(ending)));
    if ('failed' in started) this.#again(slot, started.failed);
    else if (!started.dead) slot.running = started;
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
    const at = this.#slots.indexOf(slot);
    if (at >= this.#places.options.balancers) {
      this.#slots.splice(at, 1);
      return;
    }
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
    if (decision.delayMs === 0) void this.#start(slot);
    else slot.restart = setTimeout(() => void this.#start(slot), decision.delayMs);
  }
}

const stoppable = (slots: readonly BalancerSlot[]): readonly Stoppable[] =>
  slots.flatMap(({ name, running }) => (running === null ? [] : [{ name, running }]));
