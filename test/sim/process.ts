import type { Death, RequestId } from '@limpet/core';
import type { Thread } from './scheduler.ts';

/** A process as the kernel knows it. */
export class Process {
  /** `n1.2`, `b1.1`, `supervisor.3`. */
  readonly name: string;
  readonly threads: Thread[] = [];
  isAlive = true;
  /** SIGSTOP: nothing of it runs, its sockets stay open. */
  isStopped = false;
  /** The last time that it was stopped. */
  stoppedAtMs = 0;
  /** Stopped for ever. */
  isDoomed = false;
  end: Pick<Death, 'cause' | 'how' | 'running'> | null = null;
  readonly #whenDead: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** What the kernel does at its death: connections end. */
  whenDead(run: () => void): void {
    this.#whenDead.push(run);
  }

  die(cause: Death['cause'], how: string, running: readonly RequestId[] | null): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.isStopped = false;
    this.end = { cause, how, running };
    for (const thread of this.threads) thread.backlog.length = 0;
    for (const run of this.#whenDead) run();
    this.#whenDead.length = 0;
  }
}
