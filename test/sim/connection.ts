import type { Network } from './network.ts';
import { Pipe } from './network.ts';
import type { Process } from './process.ts';
import type { Thread } from './scheduler.ts';
import type { WireAnswer, WireRequest } from './wire.ts';

/** The balancer's side of one connection to a worker. */
export interface ConnectionEnd {
  answered(message: WireAnswer): void;
  /** The worker's side has ended: nothing more comes. */
  ended(): void;
}

/** One request on its connection to a worker: the bytes of each side outlive its writer. */
export class Connection {
  readonly request: WireRequest;
  readonly #forth: Pipe<null>;
  readonly #back: Pipe<WireAnswer>;
  readonly #end: ConnectionEnd;
  readonly #worker: { readonly thread: Thread; readonly accept: (connection: Connection) => void };
  /** As the worker sees it: the balancer has left. */
  isClosed = false;
  #whenClosed: (() => void)[] = [];
  #isOver = false;

  constructor(
    network: Network,
    from: Thread,
    worker: { readonly thread: Thread; readonly process: Process; readonly accept: (connection: Connection) => void },
    request: WireRequest,
    end: ConnectionEnd,
  ) {
    this.request = request;
    this.#end = end;
    this.#worker = worker;
    this.#back = new Pipe(network, from, (message) => end.answered(message));
    this.#forth = new Pipe<null>(network, worker.thread, () => worker.accept(this));
    this.#forth.send(null);
    worker.process.whenDead(() => this.over());
    from.process.whenDead(() => this.#forth.end(() => this.#left()));
  }

  /** Written by the worker. */
  send(message: WireAnswer): void {
    if (!this.#isOver) this.#back.send(message);
  }

  /** The worker's side ends, by its own doing or by its death. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#back.end(() => this.#end.ended());
  }

  leadsTo({ thread }: { readonly thread: Thread }): boolean {
    return this.#worker.thread === thread;
  }

  /** It breaks while both sides live: what is under way is lost, and each is told in its time. */
  cut(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#forth.lose();
    this.#forth.end(() => this.#left());
    this.#back.lose();
    this.#back.end(() => this.#end.ended());
  }

  whenClosed(run: () => void): void {
    if (this.isClosed) run();
    else this.#whenClosed.push(run);
  }

  #left(): void {
    if (this.isClosed || this.#worker.thread === undefined) return;
    this.isClosed = true;
    for (const run of this.#whenClosed) run();
    this.#whenClosed = [];
  }
}
