import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Death, formatAddress, lagMsMax, type Member, type NodeId, nodeIdAt, type Side } from '@limpet/core';
import type { Adopted } from './adopted-process.ts';
import { decideRestart, longLifeMs } from './back-off.ts';
import { workerLaunch } from './commands.ts';
import { type DeathNote, takeDeathNote } from './death-note.ts';
import { classifyCause, type Ending, formatEnding, isCrash, isOutOfMemory } from './ending.ts';
import type { ClusterEvent } from './events.ts';
import { launch, type Running } from './launch.ts';
import type { Places } from './places.ts';
import { type Life, newSlot, type Slot } from './slot.ts';
import { StartOutput } from './start-output.ts';
import type { Stoppable } from './stop.ts';

/** The survivors take over before a new process asks for the processors: starting Node costs a third of a second of them. */
const takeOverMs = 20;

/** A worker that is proven dead. */
export interface Corpse {
  readonly slot: Slot;
  readonly life: Life;
  readonly death: Death;
  readonly error: string | null;
  /** Of the proof, on the monotonic clock. */
  readonly at: number;
}

export interface WorkerHooks {
  emit(event: ClusterEvent): void;
  /** It listens and both its sides are connected. */
  ready(slot: Slot, life: Life): void;
  /** Called before anything is started in its place. */
  died(corpse: Corpse): void;
  /** It was drained and has ended in order: nobody's loss. */
  left(slot: Slot, life: Life): void;
  /** Whether a process should run for it. */
  wants(slot: Slot): boolean;
  /** Called after `died` or `left`, when nothing runs for it. */
  ended(slot: Slot): void;
  givenUp(slot: Slot, reason: string): void;
}

/** Starts the workers, and starts them again when they die. */
export class Workers {
  readonly #slots: Slot[];
  readonly #places: Places;
  readonly #hooks: WorkerHooks;
  readonly #startOutput: StartOutput;
  #publicPort = 0;
  #stopping = false;

  constructor(places: Places, hooks: WorkerHooks) {
    this.#places = places;
    this.#hooks = hooks;
    this.#startOutput = new StartOutput((node, line) => hooks.emit({ kind: 'output', node, line }));
    this.#slots = Array.from({ length: places.options.nodes }, (_, index) => this.#newSlot(nodeIdAt(index + 1), index));
  }

  #newSlot(id: NodeId, index: number): Slot {
    const slot: Slot = newSlot(
      id,
      index,
      this.#places.openOutput(id, (line) => {
        if (slot.life !== null && isOutOfMemory(line)) slot.life.outOfMemory = line;
        if (slot.life === null || slot.life.readyAt !== null) this.#hooks.emit({ kind: 'output', node: id, line });
        else slot.life.held.line(line);
      }),
    );
    return slot;
  }

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Those that run. */
  get processes(): readonly Stoppable[] {
    return this.slots.flatMap(({ id, life }) => (life === null ? [] : [{ name: id, running: life.running }]));
  }

  /** Starts those that do not run. */
  startAll(publicPort: number): void {
    this.#publicPort = publicPort;
    for (const slot of this.slots) if (slot.life === null && this.#hooks.wants(slot)) this.#start(slot);
  }

  /** The slot of the node, a new one if there is none. Nothing is started yet. */
  add(node: NodeId): Slot {
    const known = this.#slots.find(({ id }) => id === node);
    if (known !== undefined) return known;
    const slot = this.#newSlot(node, Number(node.slice(1)) - 1);
    this.#slots.push(slot);
    return slot;
  }

  /** Forgets a node for which nothing runs. */
  remove(slot: Slot): void {
    const at = this.#slots.indexOf(slot);
    if (at >= 0) this.#slots.splice(at, 1);
    slot.output.finish();
  }

  /** Starts the node now unless it runs: whatever was held against it is forgotten. */
  revive(slot: Slot): void {
    if (slot.life !== null) return;
    this.#forgetRestart(slot);
    slot.givenUp = false;
    slot.shortLives = 0;
    slot.firstStartAt = null;
    this.#start(slot);
  }

  /** A node for which nothing runs stays down. */
  rest(slot: Slot): void {
    this.#forgetRestart(slot);
    this.#hooks.ended(slot);
  }

  #forgetRestart(slot: Slot): void {
    if (slot.restart !== null) clearTimeout(slot.restart);
    slot.restart = null;
  }

  /**
   * Takes over a worker that an earlier supervisor has started. A member of the adopted view is ready and has served;
   * any other one says itself when it is, and has the time of a start for it.
   */
  adopt(node: NodeId, adopted: Adopted, isMember: boolean): void {
    const slot = this.add(node);
    if (slot.life !== null) {
      // Two of one name answer for each other: the earlier supervisor had lost sight of this one.
      adopted.kill('SIGKILL');
      return;
    }
    const { incarnation } = adopted;
    slot.incarnation = incarnation;
    slot.everReady = isMember;
    slot.firstStartAt = performance.now();
    slot.life = this.#newLife(slot, adopted);
    if (isMember) {
      slot.life.listening = true;
      slot.life.readyAt = performance.now();
      clearTimeout(slot.life.timer);
      slot.life.held.release();
    }
    adopted.onDeath((ending) => this.#buried(slot, incarnation, ending));
  }

  /** A member that died while there was no supervisor: how it ended is known only from the note it may have left. */
  burial({ id, incarnation }: Member): { readonly death: Death; readonly error: string | null } {
    const note = this.#takeTraces(id, incarnation);
    const how = 'while there was no supervisor';
    const cause = note === null ? 'unknown' : 'self';
    const death: Death = { node: id, incarnation, cause, how, running: note?.running ?? null };
    return { death, error: note?.error ?? null };
  }

  /** Removes the sockets that a dead worker has left and takes its note, null when there is none. */
  #takeTraces(id: NodeId, incarnation: number): DeathNote | null {
    const address = formatAddress({ id, incarnation });
    for (const end of ['http', 'copy']) rmSync(join(this.#places.sockets, `${address}.${end}`), { force: true });
    return takeDeathNote(this.#places.sockets, address);
  }

  /** From now on the dead stay dead. */
  stopStarting(): void {
    this.#stopping = true;
    for (const slot of this.slots) if (slot.restart !== null) clearTimeout(slot.restart);
  }

  /** The present life of the node, when it is that incarnation. */
  lifeOf(name: string, incarnation: number): { readonly slot: Slot; readonly life: Life } | null {
    const slot = this.slots.find(({ id }) => id === name);
    return slot?.life?.incarnation === incarnation ? { slot, life: slot.life } : null;
  }

  connected(slot: Slot, life: Life, side: Side): void {
    life.sides.add(side);
    this.#checkReady(slot, life);
  }

  listening(slot: Slot, life: Life, notes: readonly string[]): void {
    life.listening = true;
    life.notes = notes;
    this.#checkReady(slot, life);
  }

  #checkReady(slot: Slot, life: Life): void {
    if (life.readyAt !== null || !life.listening || !life.sides.has('keeper')) return;
    life.readyAt = performance.now();
    clearTimeout(life.timer);
    life.held.release();
    slot.everReady = true;
    slot.reason = null;
    this.#hooks.emit({ kind: 'node-ready', node: slot.id, incarnation: life.incarnation, notes: life.notes });
    this.#hooks.ready(slot, life);
  }

  #start(slot: Slot): void {
    if (this.#stopping) return;
    const { watch, table } = this.#places;
    slot.restart = null;
    slot.incarnation = table.nextIncarnation(slot.id);
    slot.starts += 1;
    slot.firstStartAt ??= performance.now();
    const incarnation = slot.incarnation;
    const running = launch(workerLaunch(this.#places, slot, this.#publicPort), watch, table, (ending) =>
      this.#buried(slot, incarnation, ending),
    );
    if ('failed' in running) {
      running.failed.then((reason) => this.#again(slot, null, `it could not be started: ${reason}`));
      return;
    }
    slot.life = this.#newLife(slot, running);
  }

  #newLife(slot: Slot, running: Running): Life {
    const { readyTimeoutMs } = this.#places.options;
    const { incarnation } = running;
    const dueAt = performance.now() + readyTimeoutMs;
    const timer = setTimeout(() => this.#tooSlow(slot, incarnation, dueAt), readyTimeoutMs);
    return {
      incarnation,
      running,
      timer,
      held: this.#startOutput.begin(slot.id),
      sides: new Set(),
      listening: false,
      readyAt: null,
      notes: [],
      complaint: null,
      outOfMemory: null,
      leaving: false,
      paused: false,
      stats: {},
      hung: null,
      signal: null,
    };
  }

  #tooSlow(slot: Slot, incarnation: number, dueAt: number): void {
    const life = slot.life;
    if (life === null || life.incarnation !== incarnation || life.readyAt !== null) return;
    const lateMs = performance.now() - dueAt;
    if (lateMs > lagMsMax) {
      // This process was stopped itself: what the worker said meanwhile is not read yet, and it may have stood still too.
      setTimeout(() => this.#tooSlow(slot, incarnation, performance.now()), lateMs).unref();
      return;
    }
    const seconds = this.#places.options.readyTimeoutMs / 1_000;
    life.complaint ??= `it did not listen on a port within ${seconds} s`;
    life.running.kill('SIGKILL');
  }

  #buried(slot: Slot, incarnation: number, ending: Ending): void {
    const life = slot.life;
    if (life === null || life.incarnation !== incarnation) return;
    const at = performance.now();
    const note = this.#takeTraces(slot.id, incarnation);
    // A loop is hung by a request that runs on it, so that request is a suspect; a process is stopped from outside.
    // How a process ended that is not our child may be lost; the note is left only by one that ends of its own.
    const isSelf = life.hung?.clock === 'loop' || (ending.kind === 'unknown' && note !== null);
    const cause = isSelf ? 'self' : classifyCause(ending, life.signal !== null || this.#stopping);
    // What it wrote last may not have been read yet.
    if (isCrash(ending)) slot.output.finish();
    const memory = isCrash(ending) ? life.outOfMemory : null;
    const how = memory === null ? formatEnding(ending) : `${formatEnding(ending)}, out of memory`;
    const death: Death = {
      node: slot.id,
      incarnation,
      cause,
      how: life.hung === null ? how : `killed, ${life.hung.why}`,
      running: note?.running ?? null,
    };
    const error = note?.error ?? memory;
    // Of one that is not our child nobody may ever learn how it ended.
    const inOrder = ending.kind === 'unknown' ? note === null : ending.kind === 'exit' && ending.code === 0;
    if (life.leaving && inOrder) this.#hooks.left(slot, life);
    else this.#hooks.died({ slot, life, death, error, at });
    clearTimeout(life.timer);
    slot.output.finish();
    if (life.readyAt === null) life.held.fail();
    slot.life = null;
    this.#hooks.ended(slot);
    if (life.leaving || !this.#hooks.wants(slot)) {
      slot.reason = null;
      if (this.#hooks.wants(slot)) this.#start(slot);
      return;
    }
    const before = life.readyAt === null ? ' before it listened on a port' : '';
    const reason =
      life.hung?.why ?? life.complaint ?? error ?? life.held.reason() ?? `it ended (${death.how})${before}`;
    this.#again(slot, life, reason);
  }

  #again(slot: Slot, life: Life | null, reason: string): void {
    slot.reason = reason;
    if (this.#stopping || !this.#hooks.wants(slot)) return;
    const now = performance.now();
    const readyAt = life?.readyAt ?? null;
    slot.shortLives = readyAt !== null && now - readyAt >= longLifeMs ? 0 : slot.shortLives + 1;
    const decision = decideRestart({
      everReady: slot.everReady,
      starts: slot.starts,
      sinceFirstStartMs: now - (slot.firstStartAt ?? now),
      shortLives: slot.shortLives,
    });
    if (decision.kind === 'giveUp') {
      slot.givenUp = true;
      this.#hooks.emit({ kind: 'node-failed', node: slot.id, reason });
      this.#hooks.givenUp(slot, reason);
      return;
    }
    if (readyAt === null) {
      const retryMs = decision.delayMs;
      this.#hooks.emit({ kind: 'start-failed', node: slot.id, incarnation: slot.incarnation, reason, retryMs });
    }
    const delayMs = readyAt === null ? decision.delayMs : Math.max(decision.delayMs, takeOverMs);
    slot.restart = setTimeout(() => this.#start(slot), delayMs);
  }
}
