import {
  beatMs,
  type Clock,
  type Guard,
  type HealthEffect,
  type HealthEvent,
  HealthMachine,
  type NodeId,
  unreachable,
} from '@limpet/core';
import type { Control, Peer } from './control.ts';
import type { ClusterEvent } from './events.ts';
import type { Workers } from './workers.ts';

export interface HealthParts {
  /** A loop that stands for so long is hung; 0: never. */
  readonly hangKillMs: number;
  readonly workers: Pick<Workers, 'lifeOf'>;
  readonly control: Pick<Control, 'of'>;
  readonly emit: (event: ClusterEvent) => void;
}

/** Runs the health machine (P8): what was heard in, signals and words to the balancers out. It holds no rules. */
export class Health {
  readonly #machine: HealthMachine;
  readonly #parts: HealthParts;
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();

  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#machine = new HealthMachine({ hangKillMs: parts.hangKillMs });
    this.#timer = setInterval(() => this.#tick(), beatMs);
  }

  #tick(): void {
    const now = performance.now();
    // After a stop of this process the timer comes before what was sent meanwhile is read: the machine must know.
    const lagMs = now - this.#tickedAt - beatMs;
    this.#tickedAt = now;
    this.step({ kind: 'tick', lagMs });
  }

  step(event: HealthEvent): void {
    const effects = this.#machine.step(event, performance.now());
    for (const effect of effects) this.#perform(effect);
    if (effects.some(({ kind }) => kind === 'suspect' || kind === 'cleared')) {
      for (const balancer of this.#parts.control.of('balancer')) this.tell(balancer);
    }
  }

  /** Tells a balancer who is suspect. Of the dead it learns from the view: an incarnation never comes back. */
  tell(balancer: Pick<Peer, 'send'>): void {
    const members = this.#machine.suspects(performance.now()).map(({ node: id, incarnation }) => ({ id, incarnation }));
    balancer.send({ kind: 'suspects', members });
  }

  /** Why the node is suspect, null when it is not. */
  suspicionOf(node: NodeId): string | null {
    const suspect = this.#machine.suspects(performance.now()).find((other) => other.node === node);
    if (suspect === undefined) return null;
    return `${silence(suspect.clock, suspect.silentMs)}${suspect.inspected ? ', a debugger is open' : ''}`;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #perform(effect: HealthEffect): void {
    const { node, incarnation } = effect;
    switch (effect.kind) {
      case 'suspect':
        this.#say(effect, `${node} is suspect, it gets no new sessions: ${silence(effect.clock, effect.silentMs)}`);
        return;
      case 'cleared':
        this.#say(effect, `${node} is well again`);
        return;
      case 'spared':
        this.#say(effect, `${node} is not killed, ${guards[effect.guard]}: ${silence(effect.clock, effect.silentMs)}`);
        return;
      case 'kill': {
        const found = this.#parts.workers.lifeOf(node, incarnation);
        if (found === null) return;
        const why = silence(effect.clock, effect.silentMs);
        found.life.hung = { clock: effect.clock, why };
        this.#say(effect, `${node} is killed for hanging: ${why}`);
        found.life.running.kill('SIGKILL');
        return;
      }
      default:
        unreachable(effect);
    }
  }

  #say(effect: HealthEffect, message: string): void {
    const { kind: change, node, incarnation } = effect;
    const clock = effect.kind === 'cleared' ? null : effect.clock;
    const silentMs = effect.kind === 'cleared' ? null : Math.round(effect.silentMs);
    const guard = effect.kind === 'spared' ? effect.guard : null;
    this.#parts.emit({ kind: 'health', change, node, incarnation, clock, silentMs, guard, message });
  }
}

/** For people: `its loop has been blocked for 1.2 s`. */
function silence(clock: Clock, ms: number): string {
  const seconds = `${(ms / 1_000).toFixed(1)} s`;
  return clock === 'process'
    ? `its process has been silent for ${seconds}`
    : `its loop has been blocked for ${seconds}`;
}

const guards: { readonly [guard in Guard]: string } = {
  inspector: 'a debugger is open',
  machine: 'several were silent at once, so the machine is slow',
  another: 'another node is being killed',
  last: 'there is no other',
  custody: 'it may hold the only copy of some session',
};
