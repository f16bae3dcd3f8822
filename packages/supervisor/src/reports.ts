import { type FromSupervisor, LimpetError, type Side, unreachable } from '@limpet/core';
import { bodyOf } from './ask.ts';
import type { Balancers } from './balancers.ts';
import type { Cluster } from './cluster.ts';
import type { Control, ControlHooks, Hello, Peer, Report } from './control.ts';
import type { DeathReports } from './deaths.ts';
import type { Health } from './health.ts';
import type { KeptSessions } from './kept-sessions.ts';
import type { Keys } from './keys.ts';
import type { Losses } from './losses.ts';
import type { ClusterOptions } from './options.ts';
import type { Port } from './port.ts';
import { answerSession, readKill, readName, readNumber } from './questions.ts';
import type { ViewLoop } from './view-loop.ts';
import type { Workers } from './workers.ts';

export interface ReportsParts {
  readonly options: ClusterOptions;
  readonly keys: Keys;
  readonly control: Control;
  readonly loop: ViewLoop;
  readonly workers: Workers;
  readonly balancers: Balancers;
  readonly port: Port;
  readonly deaths: DeathReports;
  readonly losses: Losses;
  readonly health: Health;
  readonly kept: KeptSessions;
  readonly cluster: Cluster;
  readonly trouble: (message: string) => void;
}

/** Takes what workers, balancers and commands say, to where it belongs. */
export class Reports implements ControlHooks {
  readonly #parts: ReportsParts;

  constructor(parts: ReportsParts) {
    this.#parts = parts;
  }

  admit(hello: Hello, peer: Peer): boolean {
    if (hello.role === 'command') return true;
    if (!this.#isOurs(hello)) {
      // Of this cluster, and of a life that nobody remembers: it must not stay.
      if (peer.isProven) peer.send({ kind: 'stop', graceMs: 0 });
      return false;
    }
    peer.send(this.#welcome());
    if (!this.#parts.loop.catchUp(peer)) {
      // A worker whose copies are that old holds nothing of worth; its next incarnation joins anew.
      this.#parts.workers.lifeOf(hello.name, hello.incarnation)?.life.running.kill('SIGKILL');
      return false;
    }
    if (hello.role === 'balancer') this.#parts.health.tell(peer);
    if (hello.role === 'balancer' || hello.role === 'holder') return true;
    const found = this.#parts.workers.lifeOf(hello.name, hello.incarnation);
    if (found !== null) this.#parts.workers.connected(found.slot, found.life, hello.role);
    return true;
  }

  refused({ role, name, incarnation }: Hello): void {
    const who = `${role} of ${name}.${incarnation}`;
    this.#parts.trouble(`the ${who} was refused: it has other keys than this cluster`);
  }

  /** The pid too: a forked child of the app that took over the variables is not the worker. */
  #isOurs({ role, name, incarnation, pid }: Hello): boolean {
    const { workers, balancers, port } = this.#parts;
    if (role === 'holder') return port.isHolder(name, incarnation, pid);
    if (role === 'balancer') return balancers.slotOf(name, incarnation)?.running?.pid === pid;
    return workers.lifeOf(name, incarnation)?.life.running.pid === pid;
  }

  #welcome(): FromSupervisor {
    const { options, keys, kept } = this.#parts;
    const { cookieName, headerName, store, trustProxy, tls, replayable } = options;
    const { deadlineMs, idleMs, absoluteMs, keyLifeMs, orphanMs } = options;
    const { rankKey, macKeys, proofKey } = keys;
    const times = { deadlineMs, idleMs, absoluteMs, keyLifeMs, orphanMs };
    const names = { cookieName, headerName, secureCookie: 'auto' as const };
    const door = options.drillDoor === null ? {} : { drillDoor: options.drillDoor };
    const rest = { replayable, trustProxy, tls, savedFolder: kept.folder, ...door };
    return { kind: 'welcome', rankKey, macKeys, proofKey, store, ...names, ...times, ...rest };
  }

  message(peer: Peer, message: Report): void {
    switch (peer.role) {
      case 'app':
      case 'keeper':
        this.#fromWorker(peer, peer.role, message);
        return;
      case 'balancer':
        this.#fromBalancer(peer, message);
        return;
      case 'holder':
        if (message.kind === 'spawned') this.#parts.port.spawned(message);
        return;
      case 'command':
        if (message.kind === 'ask') void this.#answer(peer, message);
        return;
      default:
        unreachable(peer.role);
    }
  }

  /** The end of a link is a reason to look, not a death (P7). */
  gone({ name, incarnation }: Peer): void {
    this.#parts.workers.lifeOf(name, incarnation)?.life.running.look();
    this.#parts.balancers.slotOf(name, incarnation)?.running?.look();
  }

  #fromWorker(peer: Peer, side: Side, message: Report): void {
    const { workers, loop, deaths, health, kept, losses } = this.#parts;
    // The last word of the dead counts, too.
    if (message.kind === 'custody') losses.report(`${peer.name}.${peer.incarnation}`, side, message);
    const found = workers.lifeOf(peer.name, peer.incarnation);
    if (found === null) return;
    const { slot, life } = found;
    switch (message.kind) {
      case 'ready':
        if (side === 'app') workers.listening(slot, life, message.notes);
        return;
      case 'done': {
        const done = { kind: 'done', node: slot.id, incarnation: life.incarnation, side, view: message.view } as const;
        health.step(done);
        loop.step(done);
        return;
      }
      case 'beat': {
        const { kind, turns, inspected } = message;
        if (side === 'keeper') health.step({ kind, node: slot.id, incarnation: life.incarnation, turns, inspected });
        return;
      }
      case 'stats': {
        const { kind: _, ...stats } = message;
        life.stats[side] = stats;
        deaths.stats(slot.id, side, stats);
        return;
      }
      case 'saved':
      case 'restored':
        kept.message({ node: slot.id, incarnation: life.incarnation }, side, message);
        return;
      case 'failed':
        life.complaint = message.message;
        return;
      default:
        return;
    }
  }

  #fromBalancer(peer: Peer, message: Report): void {
    const { workers, balancers, deaths } = this.#parts;
    const slot = balancers.slotOf(peer.name, peer.incarnation);
    if (slot === null) return;
    switch (message.kind) {
      case 'ready':
        balancers.ready(slot);
        return;
      case 'stats':
        peer.seen = message.view;
        return;
      case 'spawned':
        this.#parts.port.spawned(message);
        return;
      case 'reset':
        workers.lifeOf(message.node, message.incarnation)?.life.running.look();
        return;
      case 'probed':
        deaths.probed(message.sequence, message.ok);
        return;
      case 'failed':
        slot.complaint = { code: message.code, message: message.message };
        return;
      default:
        return;
    }
  }

  async #answer(peer: Peer, { sequence, question, body }: Report & { readonly kind: 'ask' }): Promise<void> {
    try {
      peer.send({ kind: 'answer', sequence, ok: true, body: await this.#ask(question, body) });
    } catch (error) {
      peer.send({ kind: 'answer', sequence, ok: false, body: bodyOf(error) });
    }
  }

  #ask(question: string, body: unknown): unknown {
    const { cluster, keys, loop, options } = this.#parts;
    switch (question) {
      case 'status':
        return cluster.status();
      case 'kill': {
        const { node, signal } = readKill(body);
        return cluster.kill(node, signal);
      }
      case 'drain':
        return cluster.operations.drain(readName(question, body));
      case 'undrain':
        return cluster.operations.undrain(readName(question, body));
      case 'restart':
        return cluster.operations.restart(body === null ? null : readName(question, body));
      case 'scale':
        return cluster.operations.scale(readNumber(body));
      case 'pause':
        return cluster.operations.pause(readName(question, body));
      case 'resume':
        return cluster.operations.resumeNode(readName(question, body));
      case 'session':
        return answerSession(keys, loop.view, options.cookieName, body);
      case 'stop':
        void cluster.stop();
        return cluster.stopped;
      default:
        throw new LimpetError('LIMPET_BAD_COMMAND', { why: `it does not know "${question}"` });
    }
  }
}
