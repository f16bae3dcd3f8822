import { Adoption, type AdoptionEffect, type AdoptionEvent, type Member, unreachable, type View } from '@limpet/core';
import { type Adopted, adoptProcess } from './adopted-process.ts';
import type { Control, ControlHooks, Hello, Peer, Report } from './control.ts';
import type { Left } from './left-processes.ts';
import type { Places } from './places.ts';
import type { Views } from './views.ts';

/** How often the machine is told that time passes. */
const tickMs = 10;

/** What an earlier supervisor has left, when it is known. */
export interface Takeover {
  readonly term: number;
  /** The newest view that anyone has. */
  readonly view: View | null;
  /** Members of it that live no more. */
  readonly dead: readonly Member[];
  /** All that live. */
  readonly processes: readonly Adopted[];
  /** The links that have been admitted, each with its greeting, and what commands have asked on theirs; both go on filling. */
  readonly greeted: ReadonlyMap<Peer, Hello>;
  readonly asked: readonly { readonly peer: Peer; readonly message: Report }[];
}

export interface TakeoverParts {
  readonly left: Left;
  readonly term: number;
  readonly views: Views;
  readonly control: Control;
  readonly places: Places;
}

/**
 * Meets the processes of an earlier supervisor and finds out what there is to take over (P17). Resolves within some two
 * seconds; the control links stay open, and nothing has been said to anyone yet. Rejects with `refusal` when a
 * process has other keys: then nothing has been changed.
 */
export async function takeOver(parts: TakeoverParts, refusal: () => Error): Promise<Takeover> {
  const greetings = new Greetings(parts, refusal);
  await parts.control.open(parts.places.sockets, greetings);
  return greetings.done;
}

class Greetings implements ControlHooks {
  readonly #parts: TakeoverParts;
  readonly #refusal: () => Error;
  readonly #machine: Adoption;
  readonly #adopted = new Map<string, Adopted>();
  readonly #greeted = new Map<Peer, Hello>();
  readonly #asked: { readonly peer: Peer; readonly message: Report }[] = [];
  readonly #timer: NodeJS.Timeout;
  #resolve: (takeover: Takeover) => void = () => {};
  #reject: (error: Error) => void = () => {};
  readonly done: Promise<Takeover>;

  constructor(parts: TakeoverParts, refusal: () => Error) {
    this.#parts = parts;
    this.#refusal = refusal;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { left, term, views, places } = parts;
    for (const entry of left.living) {
      const adopted = adoptProcess(entry, places.watch, places.table);
      if (adopted !== null) this.#adopted.set(nameOf(entry), adopted);
    }
    const processes = [...this.#adopted.values()].map(({ entry }) => entry);
    this.#machine = new Adoption({ term, newest: views.newest, processes }, performance.now());
    for (const [name, adopted] of this.#adopted) {
      adopted.onDeath(() => {
        this.#adopted.delete(name);
        this.#step({ kind: 'died', name: adopted.entry.name, incarnation: adopted.incarnation });
      });
    }
    this.#timer = setInterval(() => this.#step({ kind: 'tick' }), tickMs);
  }

  admit(hello: Hello, peer: Peer): boolean {
    if (hello.role === 'command') return true;
    const { name, incarnation, role: side, seen: view, settled } = hello;
    const adopted = this.#adopted.get(nameOf(hello));
    if (adopted?.pid !== hello.pid) {
      // Of this cluster, and of a life that nobody remembers.
      if (peer.isProven) peer.send({ kind: 'stop', graceMs: 0 });
      return false;
    }
    if (!peer.isProven) {
      // Its supervisor died before it was welcomed: it holds nothing, and cannot show that it belongs here.
      adopted.kill('SIGKILL');
      return false;
    }
    this.#greeted.set(peer, hello);
    this.#step({ kind: 'greeted', name, incarnation, side, view, settled });
    return true;
  }

  refused(): void {
    clearInterval(this.#timer);
    this.#reject(this.#refusal());
  }

  message(peer: Peer, message: Report): void {
    // What processes report they say again when they are welcomed.
    if (peer.role === 'command') this.#asked.push({ peer, message });
  }

  gone(peer: Peer): void {
    this.#greeted.delete(peer);
    this.#adopted.get(nameOf(peer))?.look();
  }

  #step(event: AdoptionEvent): void {
    for (const effect of this.#machine.step(event, performance.now())) this.#perform(effect);
  }

  #perform(effect: AdoptionEffect): void {
    switch (effect.kind) {
      case 'learned':
        this.#parts.views.learn(effect.view);
        return;
      case 'kill':
        this.#parts.places.trouble(`${nameOf(effect)} did not come back to the new supervisor: it is killed`);
        this.#adopted.get(nameOf(effect))?.kill('SIGKILL');
        return;
      case 'begin':
        clearInterval(this.#timer);
        this.#resolve({
          term: effect.term,
          view: effect.adopt,
          dead: effect.dead,
          processes: [...this.#adopted.values()],
          greeted: this.#greeted,
          asked: this.#asked,
        });
        return;
      default:
        unreachable(effect);
    }
  }
}

const nameOf = (who: { readonly name: string; readonly incarnation: number }): string =>
  `${who.name}.${who.incarnation}`;
