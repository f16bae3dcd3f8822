import type { Happening, Scheduler, Thread } from './scheduler.ts';

/**
 * The clock, the timers and the dice that code of the product finds in its global scope, made virtual: the relay, the
 * reception and the engine run unchanged, and a seed decides everything. A timer belongs to the thread that set it.
 */
export interface World {
  readonly scheduler: Scheduler;
  readonly random: () => number;
  /** The product warns the person who runs it. */
  readonly warned: (warning: string | Error) => void;
}

/** The epoch of the simulated machines: not zero, which some code reads as "never". */
export const epochMs = 1_000_000;

let world: World | null = null;

const here = (): World => {
  if (world === null) throw new Error('no simulated world is running');
  return world;
};

/** From now on time passes in this world. Null: in none, and whoever asks for it is wrong. */
export function enterWorld(next: World | null): void {
  world = next;
}

class Timer {
  #happening: Happening;
  readonly #thread: Thread | null;
  readonly #everyMs: number | null;
  readonly #run: () => void;

  constructor(run: () => void, delayMs: number, everyMs: number | null) {
    const { scheduler } = here();
    this.#run = run;
    this.#thread = scheduler.current;
    this.#everyMs = everyMs;
    this.#happening = this.#schedule(delayMs);
  }

  #schedule(delayMs: number): Happening {
    return here().scheduler.at(delayMs, this.#thread, () => {
      if (this.#happening.isOff) return;
      // As in Node: a late interval comes once, and then again in its time.
      if (this.#everyMs !== null) this.#happening = this.#schedule(this.#everyMs);
      this.#run();
    });
  }

  clear(): void {
    this.#happening.isOff = true;
  }
  unref(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

type Callback = (...args: unknown[]) => void;

/** Installed once per process, before any code of the product runs. */
export function installVirtualHost(): void {
  const wait =
    (everyTime: boolean) =>
    (run: Callback, delayMs?: number, ...args: unknown[]) => {
      const ms = Math.max(1, Number(delayMs ?? 0) || 0);
      return new Timer(() => run(...args), ms, everyTime ? ms : null);
    };
  const clear = (timer: unknown) => {
    if (timer instanceof Timer) timer.clear();
  };
  const virtual: Record<string, unknown> = {
    setTimeout: wait(false),
    setInterval: wait(true),
    setImmediate: (run: Callback, ...args: unknown[]) => new Timer(() => run(...args), 0.002, null),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
    performance: { timeOrigin: epochMs, now: () => here().scheduler.nowMs },
  };
  for (const [name, value] of Object.entries(virtual)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  process.emitWarning = (warning: string | Error) => world?.warned(warning);
  Math.random = () => here().random();
  Date.now = () => Math.floor(here().scheduler.nowMs);
}
