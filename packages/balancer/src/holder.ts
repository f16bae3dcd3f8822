import type { FromSupervisor, ToSupervisor, Welcome } from '@limpet/core';
import { dial, type Link, Prover, socketPath, whoOf } from '@limpet/transport';
import { Orphanage } from './orphanage.ts';
import type { Run } from './run.ts';
import { spawnSibling } from './spawn.ts';

/**
 * Keeps the listening socket open and starts the next balancer on it, for a supervisor that adopted a cluster and could
 * not inherit the socket. It never accepts: with it, the death of the only balancer refuses nobody (P18).
 */
export class Holder {
  readonly #link: Link<FromSupervisor, ToSupervisor>;
  readonly #run: Run;
  readonly #prover: Prover;
  readonly #orphanage: Orphanage;
  readonly #onEnd: (code: number) => void;
  #welcome: Welcome | null = null;

  constructor(run: Run, onEnd: (code: number) => void) {
    this.#run = run;
    this.#onEnd = onEnd;
    this.#prover = new Prover(whoOf(run), () => this.#welcome?.proofKey ?? null);
    this.#orphanage = new Orphanage(() => this.end());
    this.#link = dial<FromSupervisor, ToSupervisor>(socketPath(run.sockets, 'control'), {
      open: () => this.#greet(),
      message: (message) => this.#take(message),
      close: () => this.#orphanage.lost(),
    });
  }

  end(): void {
    this.#link.close();
    this.#onEnd(0);
  }

  #greet(): void {
    const { role, name, incarnation } = this.#run;
    const nonce = this.#prover.begin();
    const nothing = { seen: null, settled: null };
    this.#link.send({ kind: 'hello', role, name, incarnation, pid: process.pid, ...nothing, nonce, version: '' });
  }

  #take(message: FromSupervisor): void {
    if (message.kind === 'challenge') {
      this.#link.send({ kind: 'proof', proof: this.#prover.answer(message) });
      return;
    }
    if (!this.#prover.isProven) return;
    if (message.kind === 'stop') this.end();
    else if (message.kind === 'spawn') spawnSibling(message, (answer) => void this.#link.send(answer));
    else if (message.kind === 'welcome') {
      this.#welcome = message;
      this.#orphanage.found(message.orphanMs);
      this.#link.send({ kind: 'ready', notes: [] });
    }
  }
}
