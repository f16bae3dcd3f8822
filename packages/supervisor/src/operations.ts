import { compareViews, LimpetError, type NodeId, type View, type ViewNumber } from '@limpet/core';
import type { Control } from './control.ts';
import type { ClusterEvent } from './events.ts';
import type { Life, Slot } from './slot.ts';
import { stopProcesses } from './stop.ts';
import type { ViewLoop } from './view-loop.ts';
import { nodesOf, type Restart, type Wishes, writeWishes } from './wishes.ts';
import type { Workers } from './workers.ts';

/** A balancer that has not said after so long that it has entered a view is stopped itself, or dead. */
const enterMs = 2_000;
const lookMs = 10;
/** What an app gets for its own end after its last request. */
const ownEndMs = 2_000;
/** As many nodes as `--nodes` allows. */
const nodesMax = 256;

export interface OperationsParts {
  /** Of an earlier supervisor, or the options' own. */
  readonly wishes: Wishes;
  /** Where wishes are kept on disk. */
  readonly path: string;
  readonly workers: Workers;
  readonly loop: Pick<ViewLoop, 'step' | 'view' | 'settled'>;
  readonly control: Control;
  /** Requests and WebSockets of a drained node have so long to end. */
  readonly drainMs: number;
  readonly emit: (event: ClusterEvent) => void;
  readonly trouble: (why: string) => void;
}

/**
 * The operator's wishes: drain, undrain, restart, scale, pause. Tells the membership machine of them, which decides when
 * a member may go (P11), and does to the processes what follows.
 */
export class Operations {
  readonly #parts: OperationsParts;
  #wishes: Wishes;
  /** The node whose restart is under way: the machine has been asked to drain it. */
  #restarting: NodeId | null = null;
  #refused: NodeId | null = null;
  #closed = false;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#wishes = parts.wishes;
  }

  /** Nodes still to be started anew, the present one first. */
  get restarts(): readonly NodeId[] {
    return this.#wishes.restarts.map(({ node }) => node);
  }

  get nodes(): number {
    return this.#wishes.nodes;
  }

  modeOf(node: NodeId): 'ready' | 'drain' {
    return this.#wishes.drained.includes(node) || !this.#isAsked(node) ? 'drain' : 'ready';
  }

  /** Whether a process should run for the node. */
  wants(node: NodeId): boolean {
    return this.modeOf(node) === 'ready';
  }

  #isAsked(node: NodeId): boolean {
    return Number(node.slice(1)) <= this.#wishes.nodes;
  }

  /** After an adoption: the machine is told all wishes, for a view names none. */
  resume(): void {
    const [head] = this.#wishes.restarts;
    for (const { id, incarnation } of this.#parts.workers.slots) {
      const isRestarting = head?.node === id && head.incarnation === incarnation;
      if (this.modeOf(id) === 'drain') this.#parts.loop.step({ kind: 'drain', node: id });
      else if (!isRestarting) this.#parts.loop.step({ kind: 'undrain', node: id });
    }
    this.advance();
  }

  /** Rejects with LIMPET_UNKNOWN_NODE or LIMPET_LAST_NODE. */
  drain(name: string): void {
    const slot = this.#slotOf(name);
    if (this.modeOf(slot.id) === 'drain') return;
    this.#askToLeave(slot.id);
    const restarts = this.#wishes.restarts.filter(({ node }) => node !== slot.id);
    this.#set({ ...this.#wishes, drained: [...this.#wishes.drained, slot.id], restarts });
    if (this.#restarting === slot.id) this.#restarting = null;
    this.#dismiss(slot);
    this.#say(slot.id, 'drain', `${slot.id} is being drained`);
    this.advance();
  }

  undrain(name: string): void {
    const slot = this.#slotOf(name);
    if (this.modeOf(slot.id) === 'ready') return;
    this.#set({ ...this.#wishes, drained: this.#wishes.drained.filter((node) => node !== slot.id) });
    this.#parts.loop.step({ kind: 'undrain', node: slot.id });
    this.#say(slot.id, 'undrain', `${slot.id} takes part again`);
    this.#parts.workers.revive(slot);
  }

  /** `null`: all of them, one after the other. */
  restart(name: string | null): void {
    const { slots } = this.#parts.workers;
    const chosen = name === null ? slots.filter(({ id }) => this.modeOf(id) === 'ready') : [this.#slotOf(name)];
    const fresh: Restart[] = [];
    for (const slot of chosen) {
      if (this.modeOf(slot.id) === 'drain') throw new LimpetError('LIMPET_NODE_DRAINED', { node: slot.id });
      if (slot.life === null) this.#parts.workers.revive(slot);
      else if (!this.restarts.includes(slot.id)) fresh.push({ node: slot.id, incarnation: slot.incarnation });
    }
    this.#set({ ...this.#wishes, restarts: [...this.#wishes.restarts, ...fresh] });
    this.#refused = null;
    this.advance();
    if (this.#refused !== null) throw new LimpetError('LIMPET_LAST_NODE', { node: this.#refused });
  }

  scale(nodes: number): void {
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax) {
      throw new LimpetError('LIMPET_BAD_COMMAND', { why: `scale needs a whole number from 1 to ${nodesMax}` });
    }
    const { workers, loop } = this.#parts;
    const isKept = (node: NodeId) => Number(node.slice(1)) <= nodes;
    const drained = this.#wishes.drained.filter(isKept);
    if (drained.length === nodes) throw new LimpetError('LIMPET_LAST_NODE', { node: drained[0] ?? '' });
    const before = this.#wishes.nodes;
    this.#set({ nodes, drained, restarts: this.#wishes.restarts.filter(({ node }) => isKept(node)) });
    loop.step({ kind: 'want', nodes: nodesOf(this.#wishes) });
    this.#say(null, 'scale', `${before} nodes become ${nodes}`);
    for (const node of nodesOf(this.#wishes)) if (this.wants(node)) workers.revive(workers.add(node));
    for (const slot of [...workers.slots]) if (!isKept(slot.id)) this.#dismiss(slot);
  }

  /** SIGSTOP: it keeps its place until P8 decides. Throws LIMPET_NODE_DOWN. */
  pause(name: string): void {
    this.#signal(name, true);
  }

  resumeNode(name: string): void {
    this.#signal(name, false);
  }

  #signal(name: string, paused: boolean): void {
    const { id, life } = this.#slotOf(name);
    if (life === null) throw new LimpetError('LIMPET_NODE_DOWN', { node: id });
    life.running.kill(paused ? 'SIGSTOP' : 'SIGCONT');
    life.paused = paused;
    this.#say(id, paused ? 'pause' : 'resume', paused ? `${id} is paused (SIGSTOP)` : `${id} goes on (SIGCONT)`);
  }

  #slotOf(name: string): Slot {
    const { slots } = this.#parts.workers;
    const slot = slots.find(({ id }) => id === name);
    if (slot !== undefined) return slot;
    throw new LimpetError('LIMPET_UNKNOWN_NODE', { node: name, nodes: slots.map(({ id }) => id).join(', ') });
  }

  #askToLeave(node: NodeId): void {
    this.#refused = null;
    this.#parts.loop.step({ kind: 'drain', node });
    if (this.#refused === node) throw new LimpetError('LIMPET_LAST_NODE', { node });
  }

  /** The machine refuses to drain the last one that serves. */
  refused(node: NodeId): void {
    this.#refused = node;
    if (this.#restarting !== node) return;
    this.#restarting = null;
    this.#dropRestart(node);
    this.#parts.trouble(`${node} is not restarted: without it nobody would serve`);
  }

  /** The cluster ends: wishes are of no more use. */
  close(): void {
    this.#closed = true;
  }

  /** A process that has never been ready has nothing to hand over; of the others the machine says when they may go. */
  #dismiss(slot: Slot): void {
    if (slot.life === null) this.#parts.workers.rest(slot);
    else if (slot.life.readyAt === null) void this.#end(slot, slot.life, 0);
  }

  /** Nobody needs anything of it any more: it finishes what it runs and ends. */
  drained(node: NodeId, incarnation: number): void {
    const found = this.#parts.workers.lifeOf(node, incarnation);
    if (found === null || found.life.leaving) return;
    this.#say(node, 'drained', `${node} has handed its sessions over`);
    void this.#end(found.slot, found.life, this.#parts.drainMs);
  }

  async #end(slot: Slot, life: Life, drainMs: number): Promise<void> {
    const { control, loop } = this.#parts;
    life.leaving = true;
    clearTimeout(life.timer);
    if (loop.view !== null) await this.#allBalancersIn(loop.view);
    const process = [{ name: slot.id, running: life.running }];
    await stopProcesses(process, 'app', control, drainMs, { spreadMs: drainMs, ownEndMs });
  }

  /** A balancer with an older view could send it a request while it ends. */
  async #allBalancersIn(view: View): Promise<void> {
    const end = performance.now() + enterMs;
    const isIn = ({ seen }: { readonly seen: ViewNumber | null }) => seen !== null && compareViews(seen, view) >= 0;
    while (!this.#parts.control.of('balancer').every(isIn) && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  /** Its process is gone, in whatever way. */
  ended(slot: Slot): void {
    if (this.#closed) return;
    if (this.#restarting === slot.id) {
      this.#restarting = null;
      this.#parts.loop.step({ kind: 'undrain', node: slot.id });
    }
    if (!this.#isAsked(slot.id)) this.#parts.workers.remove(slot);
    if (!this.wants(slot.id)) this.#say(slot.id, 'down', `${slot.id} is down, as was asked`);
    this.advance();
  }

  /** Goes on with the restarts, one node at a time, the next when every session has its copies again. */
  advance(): void {
    if (this.#closed) return;
    for (let [head] = this.#wishes.restarts; head !== undefined; [head] = this.#wishes.restarts) {
      const { node, incarnation } = head;
      const slot = this.#parts.workers.slots.find(({ id }) => id === node);
      if (slot === undefined || slot.givenUp) {
        this.#dropRestart(node);
        continue;
      }
      if (slot.incarnation === incarnation) {
        const mayAsk = this.#restarting === null && slot.life !== null && slot.life.readyAt !== null;
        if (!mayAsk) return;
        this.#restarting = node;
        this.#parts.loop.step({ kind: 'drain', node });
        if (this.#restarting === node) return;
        continue;
      }
      const { view, settled } = this.#parts.loop;
      const isBack = view?.ring.includes(node) === true && view.members[node]?.incarnation === slot.incarnation;
      if (!isBack || !settled || view.next !== null) return;
      this.#dropRestart(node);
      this.#say(node, 'restarted', `${node} was started anew (incarnation ${slot.incarnation})`);
    }
  }

  #dropRestart(node: NodeId): void {
    this.#set({ ...this.#wishes, restarts: this.#wishes.restarts.filter((restart) => restart.node !== node) });
  }

  #set(wishes: Wishes): void {
    this.#wishes = wishes;
    const why = writeWishes(this.#parts.path, wishes);
    if (why !== null) this.#parts.trouble(why);
  }

  #say(node: NodeId | null, change: (ClusterEvent & { readonly kind: 'operation' })['change'], message: string): void {
    this.#parts.emit({ kind: 'operation', node, change, message });
  }
}
