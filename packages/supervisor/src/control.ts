import type { ControlRole, FromSupervisor, ToSupervisor, ViewNumber } from '@limpet/core';
import { type Link, type LinkHandlers, listen, socketPath } from '@limpet/transport';

export type Hello = ToSupervisor & { readonly kind: 'hello' };
/** What comes after the greeting. */
export type Report = Exclude<ToSupervisor, Hello>;

/** One process, or part of one, on the other end of a control link. */
export interface Peer {
  readonly role: ControlRole;
  readonly name: string;
  readonly incarnation: number;
  readonly seen: ViewNumber | null;
  /** A peer that cannot keep up is cut off; it comes back and gets what it missed. */
  send(message: FromSupervisor): void;
}

export interface ControlHooks {
  /** Whether the greeting is of a process that this supervisor started and that still lives. Sends the welcome. */
  admit(hello: Hello, peer: Peer): boolean;
  message(peer: Peer, message: Report): void;
  gone(peer: Peer): void;
}

/** A greeting is due within this time; who says nothing is cut off. */
const helloMs = 5_000;

/** The supervisor's end of all control links. The folder of the socket is private: only this user can come here. */
export class Control {
  readonly #peers = new Set<Peer>();
  #server: { close(): Promise<void> } | null = null;

  async open(sockets: string, hooks: ControlHooks): Promise<void> {
    this.#server = await listen<ToSupervisor, FromSupervisor>(socketPath(sockets, 'control'), (link) =>
      this.#greet(link, hooks),
    );
  }

  #greet(link: Link<ToSupervisor, FromSupervisor>, hooks: ControlHooks): LinkHandlers<ToSupervisor> {
    let peer: Peer | null = null;
    const timer = setTimeout(() => link.close(), helloMs);
    return {
      message: (message) => {
        if (message.kind !== 'hello') {
          if (peer === null) link.close();
          else hooks.message(peer, message);
          return;
        }
        clearTimeout(timer);
        if (peer !== null) return link.close();
        const { role, name, incarnation, seen } = message;
        const candidate: Peer = { role, name, incarnation, seen, send: (m) => void (link.send(m) || link.close()) };
        // Among the peers before it is admitted: its greeting may be what a view was waiting for, and it must see that view.
        peer = candidate;
        this.#peers.add(candidate);
        if (hooks.admit(message, candidate)) return;
        this.#peers.delete(candidate);
        peer = null;
        link.close();
      },
      close: () => {
        clearTimeout(timer);
        if (peer === null) return;
        this.#peers.delete(peer);
        hooks.gone(peer);
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
