import { LimpetError } from '@limpet/core';
import type { DeathReport } from './events.ts';
import type { Slot } from './slot.ts';

/** How long a signalled worker may take to die before `kill` gives up on it. */
const killWaitMs = 10_000;

/** Kills by command: signals sent, and who waits for what came of them. */
export class Kills {
  readonly #waiting = new Map<string, (report: DeathReport | null) => void>();

  /** Rejects with LIMPET_UNKNOWN_NODE, LIMPET_NODE_DOWN or LIMPET_STILL_ALIVE. */
  async kill(slots: readonly Slot[], node: string, signal: NodeJS.Signals): Promise<DeathReport> {
    const slot = slots.find(({ id }) => id === node);
    if (slot === undefined) {
      throw new LimpetError('LIMPET_UNKNOWN_NODE', { node, nodes: slots.map(({ id }) => id).join(', ') });
    }
    const { life } = slot;
    if (life === null || life.readyAt === null) throw new LimpetError('LIMPET_NODE_DOWN', { node });
    const key = `${node}.${life.incarnation}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (life.running.dead) return;
        this.#waiting.delete(key);
        life.signal = null;
        reject(new LimpetError('LIMPET_STILL_ALIVE', { node, signal, ms: killWaitMs }));
      }, killWaitMs);
      const earlier = this.#waiting.get(key);
      this.#waiting.set(key, (report) => {
        clearTimeout(timer);
        if (report === null) reject(new LimpetError('LIMPET_NODE_DOWN', { node }));
        else resolve(report);
        earlier?.(report);
      });
      life.signal = { name: signal, at: performance.now() };
      life.running.kill(signal);
    });
  }

  /** It died before it was a member: there is nothing to report. */
  gone({ node, incarnation }: { readonly node: string; readonly incarnation: number }): void {
    const key = `${node}.${incarnation}`;
    this.#waiting.get(key)?.(null);
    this.#waiting.delete(key);
  }

  /** The cluster ends: whoever still waits learns that the node is gone. */
  close(): void {
    for (const end of this.#waiting.values()) end(null);
    this.#waiting.clear();
  }

  reported(report: DeathReport): void {
    const key = `${report.node}.${report.incarnation}`;
    this.#waiting.get(key)?.(report);
    this.#waiting.delete(key);
  }
}
