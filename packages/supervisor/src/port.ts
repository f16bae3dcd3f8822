import type { Program, ToSupervisor } from '@limpet/core';
import { type Adopted, adoptProcess } from './adopted-process.ts';
import { holderLaunch, holderName } from './commands.ts';
import type { Control, Peer } from './control.ts';
import type { Ending } from './ending.ts';
import { reasonOf } from './files.ts';
import { type Launch, launch, type Running } from './launch.ts';
import { runOf } from './left-processes.ts';
import { bindPort, type Listener } from './listener.ts';
import type { OutputFile } from './output.ts';
import type { Places } from './places.ts';
import type { Stoppable } from './stop.ts';

type Spawned = ToSupervisor & { readonly kind: 'spawned' };

/** How long a balancer may take to start another one before the next is asked. Starting a process takes some 10 ms. */
const spawnMs = 2_000;
/** Pauses before a holder is started anew: one that dies again and again, or cannot be started, is tried ever more rarely. */
const holdAgainMsMin = 100;
const holdAgainMsMax = 10_000;

export type Started = Running | { readonly failed: string };

/**
 * The port that clients connect to, and how a process comes to its listening socket. The supervisor that bound it gives it
 * to each balancer itself. One that has adopted a cluster does not have it: a living balancer starts the next one, and a holder
 * keeps the socket open meanwhile, so that the death of the only balancer refuses nobody (PROTOCOL P18).
 */
export class Port {
  readonly number: number;
  readonly #places: Places;
  readonly #control: Control;
  #listener: Listener | null;
  #binding: Promise<Listener> | null = null;
  #holder: Running | null = null;
  #output: OutputFile | null = null;
  #isHoldingDue = false;
  #holdAgainMs = holdAgainMsMin;
  #heldSince = 0;
  #isClosed = false;
  #asked = 0;
  readonly #asking = new Map<number, (answer: Spawned) => void>();
  readonly #starting = new Set<Promise<unknown>>();

  /** `listener` null: others have the socket of port `number`. */
  constructor(places: Places, control: Control, listener: Listener | null, number: number) {
    this.#places = places;
    this.#control = control;
    this.#listener = listener;
    this.number = number;
  }

  /** Starts a process with the listening socket as its descriptor 3. */
  start(what: Launch, onDeath: (ending: Ending) => void): Promise<Started> {
    return this.#track(this.#start(what, onDeath).catch((error: unknown): Started => ({ failed: reasonOf(error) })));
  }

  #track<Result>(started: Promise<Result>): Promise<Result> {
    this.#starting.add(started);
    void started.finally(() => this.#starting.delete(started));
    return started;
  }

  async #start(what: Launch, onDeath: (ending: Ending) => void): Promise<Started> {
    const started = this.#listener === null ? await this.#startElsewhere(what, onDeath) : null;
    if (started !== null) return started;
    const { fd } = this.#listener ?? (await this.#bind());
    const { watch, table } = this.#places;
    const running = launch({ ...what, fds: [fd] }, watch, table, onDeath);
    return 'failed' in running ? { failed: await running.failed } : running;
  }

  /** Nobody is left who has the socket, so the port is free. Two that are started at once share what is bound. */
  #bind(): Promise<Listener> {
    this.#binding ??= bindPort(this.#places.options.host, this.number).then(
      (listener) => {
        if (this.#isClosed) listener.close();
        this.#listener = listener;
        return listener;
      },
      (error: unknown) => {
        this.#binding = null;
        throw error;
      },
    );
    return this.#binding;
  }

  /** Null when nobody who has the socket answers. */
  async #startElsewhere(what: Launch, onDeath: (ending: Ending) => void): Promise<Started | null> {
    for (const peer of [...this.#control.of('holder'), ...this.#control.of('balancer')]) {
      const started = await this.#startThrough(peer, what, onDeath);
      if (started !== null) return started;
    }
    return null;
  }

  async #startThrough(peer: Peer, what: Launch, onDeath: (ending: Ending) => void): Promise<Started | null> {
    const answer = await this.#ask(peer, programOf(what, this.#places.logOf(what.name)));
    if (answer === null) return null;
    if (answer.pid === null) return { failed: answer.why };
    const adopted = this.#adopt(what, answer.pid);
    if (adopted === null) return { failed: 'it ended at once' };
    adopted.onDeath(onDeath);
    return adopted;
  }

  #ask(peer: Peer, program: Program): Promise<Spawned | null> {
    this.#asked += 1;
    const sequence = this.#asked;
    return new Promise((resolve) => {
      const end = (answer: Spawned | null): void => {
        clearTimeout(timer);
        this.#asking.delete(sequence);
        resolve(answer);
      };
      const timer = setTimeout(() => end(null), spawnMs);
      this.#asking.set(sequence, end);
      peer.send({ kind: 'spawn', sequence, program });
    });
  }

  /** Null when that pid is not, or no more, what was to be started. */
  #adopt({ name, role, incarnation }: Launch, pid: number): Adopted | null {
    const told = runOf(pid)?.entry;
    if (told?.name !== name || told.incarnation !== incarnation || told.role !== role) return null;
    return adoptProcess({ name, role, incarnation, pid, startTime: null }, this.#places.watch, this.#places.table);
  }

  /** A balancer or the holder has said what came of a start. One that was not waited for any more is ended. */
  spawned(message: Spawned): void {
    const asking = this.#asking.get(message.sequence);
    if (asking !== undefined) {
      asking(message);
      return;
    }
    const late = message.pid === null ? null : runOf(message.pid);
    if (message.pid === null || late?.sockets !== this.#places.sockets) return;
    const { watch, table } = this.#places;
    adoptProcess({ ...late.entry, pid: message.pid, startTime: null }, watch, table)?.kill('SIGKILL');
  }

  /** A holder that an earlier supervisor has left. */
  takeHolder(holder: Adopted): void {
    this.#holder = holder;
    holder.onDeath(() => this.#holderDied());
  }

  isHolder(name: string, incarnation: number, pid: number): boolean {
    return name === holderName && this.#holder?.incarnation === incarnation && this.#holder.pid === pid;
  }

  /** Has the socket held by somebody besides the balancers: by this process, or by a holder. */
  async hold(): Promise<void> {
    if (this.#isClosed || this.#isHoldingDue || this.#listener !== null || this.#holder !== null) return;
    this.#isHoldingDue = true;
    this.#output ??= this.#places.openOutput(holderName, (line) => this.#places.trouble(`${holderName}: ${line}`));
    const incarnation = this.#places.table.nextIncarnation(holderName);
    const what = holderLaunch(this.#places, incarnation, this.#output.fd);
    const started = await this.#track(this.#startElsewhere(what, () => this.#holderDied()));
    this.#isHoldingDue = false;
    if (started === null) this.#holdLater();
    else if ('failed' in started) {
      this.#places.trouble(`nothing holds port ${this.number} besides the balancers: ${started.failed}`);
      this.#holdLater();
    } else if (!started.dead) {
      this.#holder = started;
      this.#heldSince = performance.now();
    }
  }

  #holderDied(): void {
    if (performance.now() - this.#heldSince >= holdAgainMsMax) this.#holdAgainMs = holdAgainMsMin;
    this.#holder = null;
    this.#holdLater();
  }

  #holdLater(): void {
    if (this.#isClosed) return;
    setTimeout(() => void this.hold(), this.#holdAgainMs).unref();
    this.#holdAgainMs = Math.min(2 * this.#holdAgainMs, holdAgainMsMax);
  }

  /** The holder, where there is one: it ends before the balancers close the port. */
  get processes(): readonly Stoppable[] {
    return this.#holder === null ? [] : [{ name: holderName, running: this.#holder }];
  }

  /** Gives the socket up; resolves when nothing is being started on it any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#listener?.close();
    await Promise.all(this.#starting);
  }
}

function programOf({ argv, cwd, env }: Launch, log: string): Program {
  const given = Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return { file: process.execPath, argv, cwd, env: Object.fromEntries(given), log };
}
