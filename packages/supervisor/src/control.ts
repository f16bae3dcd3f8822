import type { ControlRole, FromSupervisor, ToSupervisor, ViewNumber } from '@limpet/core';
import { type Link, type LinkHandlers, listen, socketPath, Verifier } from '@limpet/transport';

export type Hello = ToSupervisor & { readonly kind: 'hello' };
/** What comes after the greeting. */
export type Report = Exclude<ToSupervisor, Hello | { readonly kind: 'proof' }>;

/** One process, or part of one, on the other end of a control link. */
export interface Peer {
  readonly role: ControlRole;
  readonly name: string;
  readonly incarnation: number;
  /** The newest view that it is known to have entered. */
  seen: ViewNumber | null;
  /** It has proven that it knows the cluster's key: a supervisor, this one or one before, has welcomed it. */
  readonly isProven: boolean;
  /** A peer that cannot keep up is cut off; it comes back and gets what it missed. */
  send(message: FromSupervisor): void;
}

export interface ControlHooks {
  /** Whether the greeting is of a process of this cluster that still lives. Sends the welcome. */
  admit(hello: Hello, peer: Peer): boolean;
  /** It has keys, and they are not ours. */
  refused(hello: Hello): void;
  message(peer: Peer, message: Report): void;
  gone(peer: Peer): void;
}

/** A greeting is due within this time; who says nothing is cut off. */
const helloMs = 5_000;

/**
 * The supervisor's end of all control links. The folder of the socket is private: only this user can come here. A process
 * that has keys already must show that they are the same, and is shown it, before anything else is said (P17).
 */
export class Control {
  readonly #peers = new Set<Peer>();
  readonly #proofKey: Uint8Array;
  #server: { close(): Promise<void> } | null = null;
  #hooks: ControlHooks | null = null;

  constructor(proofKey: Uint8Array) {
    this.#proofKey = proofKey;
  }

  async open(sockets: string, hooks: ControlHooks): Promise<void> {
    this.#hooks = hooks;
    this.#server = await listen<ToSupervisor, FromSupervisor>(socketPath(sockets, 'control'), (link) =>
      this.#greet(link),
    );
  }

  /** From now on these are told. */
  turnTo(hooks: ControlHooks): void {
    this.#hooks = hooks;
  }

  #greet(link: Link<ToSupervisor, FromSupervisor>): LinkHandlers<ToSupervisor> {
    const verifier = new Verifier(this.#proofKey);
    let greeting: Hello | null = null;
    let peer: Peer | null = null;
    const timer = setTimeout(() => link.close(), helloMs);
    const admit = (hello: Hello, isProven: boolean): void => {
      clearTimeout(timer);
      const { role, name, incarnation, seen } = hello;
      const send: Peer['send'] = (message) => void (link.send(message) || link.close());
      // Among the peers before it is admitted: its greeting may be what a view was waiting for, and it must see that view.
      const candidate: Peer = { role, name, incarnation, seen, isProven, send };
      peer = candidate;
      this.#peers.add(candidate);
      if (this.#hooks?.admit(hello, candidate)) return;
      this.#peers.delete(candidate);
      peer = null;
      link.close();
    };
    return {
      message: (message) => {
        if (message.kind === 'hello') {
          if (greeting !== null) return link.close();
          greeting = message;
          if (message.nonce === null) admit(message, false);
          else link.send({ kind: 'challenge', ...verifier.challenge(message, message.nonce) });
        } else if (greeting === null) link.close();
        else if (message.kind === 'proof') {
          if (verifier.accepts(message.proof)) return admit(greeting, true);
          this.#hooks?.refused(greeting);
          link.close();
        } else if (peer !== null) this.#hooks?.message(peer, message);
        // Else it has not proven itself yet: what matters it says again.
      },
      close: () => {
        clearTimeout(timer);
        if (peer === null) return;
        this.#peers.delete(peer);
        this.#hooks?.gone(peer);
      },
    };
  }

  /** Sends to every worker and balancer. */
  broadcast(message: FromSupervisor): void {
    for (const peer of this.#peers) if (peer.role !== 'command') peer.send(message);
  }

  of(role: ControlRole, name?: string): readonly Peer[] {
    return [...this.#peers].filter((peer) => peer.role === role && (name === undefined || peer.name === name));
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }
}
