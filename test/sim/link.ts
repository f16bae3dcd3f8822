import type { Network } from './network.ts';
import { Pipe } from './network.ts';
import type { Thread } from './scheduler.ts';

/** What the dialling side does with its connection. */
export interface Dialler<Up, Down> {
  open(send: (message: Up) => void): void;
  message(message: Down): void;
  close(): void;
}

/** What the listening side does with one connection; made anew for each. */
export interface Listener<Up, Down> {
  message(message: Up): void;
  close(): void;
  /** Given its way back when the connection is accepted. */
  accepted(send: (message: Down) => void): void;
}

/** Between two attempts to dial, in milliseconds: as transport's redial does, about. */
const redialMs = 10;

/**
 * A connection that is dialled again whenever it ends, until it is closed for good: transport's `dial`, on virtual time.
 * A living listener accepts at once, even while it is stopped: the kernel does that.
 */
export class Redialled<Up, Down> {
  readonly #network: Network;
  readonly #from: Thread;
  readonly #to: () => { readonly thread: Thread; readonly listen: () => Listener<Up, Down> } | null;
  readonly #dialler: Dialler<Up, Down>;
  #connection: { up: Pipe<Up>; down: Pipe<Down>; listener: Listener<Up, Down> } | null = null;
  #isOpen = false;
  #isOver = false;

  constructor(
    network: Network,
    from: Thread,
    to: () => { readonly thread: Thread; readonly listen: () => Listener<Up, Down> } | null,
    dialler: Dialler<Up, Down>,
  ) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#dialler = dialler;
    this.#dial(network.delay());
  }

  /** Dropped while it is not open. */
  send(message: Up): void {
    if (this.#isOpen) this.#connection?.up.send(message);
  }

  /** For good, from the dialling side. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = this.#connection;
    this.#connection = null;
    this.#isOpen = false;
    connection?.up.end(() => connection.listener.close());
  }

  /** It breaks: what is under way is lost on both sides, and both are told, each in its time. */
  cut(): void {
    const connection = this.#connection;
    if (connection === null) return;
    connection.up.lose();
    connection.down.lose();
    this.#ended(connection);
  }

  /** Both directions stand still for a while, and nobody is told. */
  lag(ms: number): void {
    this.#connection?.up.lag(ms);
    this.#connection?.down.lag(ms);
  }

  #dial(afterMs: number): void {
    this.#network.scheduler.at(afterMs, this.#from, () => {
      if (this.#isOver || this.#connection !== null) return;
      const target = this.#to();
      if (target === null || !target.thread.process.isAlive) this.#dial(redialMs);
      else this.#connect(target.thread, target.listen());
    });
  }

  #connect(thread: Thread, listener: Listener<Up, Down>): void {
    const connection = {
      up: new Pipe<Up>(this.#network, thread, (message) => listener.message(message)),
      down: new Pipe<Down>(this.#network, this.#from, (message) => {
        if (this.#connection === connection) this.#dialler.message(message);
      }),
      listener,
    };
    this.#connection = connection;
    this.#isOpen = true;
    thread.process.whenDead(() => this.#lost(connection));
    this.#from.process.whenDead(() => connection.up.end(() => listener.close()));
    // The listener hears of it before the first message on it.
    connection.up.end(() => listener.accepted((message) => connection.down.send(message)));
    this.#dialler.open((message) => connection.up.send(message));
  }

  /** The far process is gone: what it has written still arrives, then the end. */
  #lost(connection: { up: Pipe<Up>; down: Pipe<Down>; listener: Listener<Up, Down> }): void {
    connection.down.end(() => {
      if (this.#connection !== connection) return;
      this.#connection = null;
      this.#isOpen = false;
      this.#dialler.close();
      if (!this.#isOver) this.#dial(redialMs);
    });
  }

  #ended(connection: { up: Pipe<Up>; down: Pipe<Down>; listener: Listener<Up, Down> }): void {
    this.#lost(connection);
    connection.up.end(() => connection.listener.close());
  }
}
