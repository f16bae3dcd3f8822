import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ClientDownstream } from './downstream.ts';
import { pipelinedMax } from './limits.ts';

/**
 * One request of a connection and its answer. Node's parser reads on while an answer is made: pipelined requests,
 * upgrades and garbage come out of order, and even after a `Connection: close` of ours. Here they wait for each other.
 */
export class Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly down: ClientDownstream;
  /** The one it waits for; null once it runs, else a kept connection would keep every request it ever had. */
  #before: Turn | null;
  /** How many requests of the connection have not begun. */
  readonly #waiting: { count: number };
  #isStarted = false;
  #isDropped = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    this.down = new ClientDownstream(request, response);
    this.#before = newest.get(request.socket) ?? null;
    this.#waiting = this.#before === null ? { count: 0 } : this.#before.#waiting;
    newest.set(request.socket, this);
  }

  /** Calls back when what the earlier requests do is done (RFC 9112 §9.3.2), unless the connection ends with them. */
  begin(start: () => void): void {
    // Each has cost its sender thirty bytes, and would cost a hundred times that here while the first one runs.
    this.#waiting.count += 1;
    if (this.#waiting.count > pipelinedMax) this.request.socket.destroy();
    const take = () => {
      this.#waiting.count -= 1;
      this.#isStarted = true;
      this.#before = null;
      if (!this.#isDropped) start();
    };
    if (this.#before === null) take();
    else this.#before.#afterwards(take);
  }

  /**
   * The parser has given up on this connection: calls back when everything that came whole before is answered. At once if
   * it is the body of the running request that cannot be read: nothing else will end that one.
   */
  breakOff(refuse: () => void): void {
    if (this.request.complete) this.#afterwards(refuse);
    else if (this.#isStarted || this.#before === null) refuse();
    else {
      this.#isDropped = true;
      this.#before.#afterwards(refuse);
    }
  }

  /** Makes this the last request of its connection. Calls back when its answer is out. */
  end(close: () => void): void {
    this.down.isLast = true;
    if (this.response.closed) close();
    else this.response.once('close', close);
  }

  /** The one that is being answered, or was last. */
  get running(): Turn {
    let turn: Turn = this;
    while (!turn.#isStarted && turn.#before !== null) turn = turn.#before;
    return turn;
  }

  #afterwards(next: () => void): void {
    const go = () => {
      // After a refusal or a `Connection: close` of ours nothing more is served: it would run what nobody may answer.
      if (!this.down.isLast && !this.request.socket.destroyed) next();
    };
    if (this.response.closed) go();
    else this.response.once('close', go);
  }
}

const newest = new WeakMap<Duplex, Turn>();

/** The newest request of the connection, if it had any. */
export const turnOf = (socket: Duplex): Turn | null => newest.get(socket) ?? null;

/** Calls back when every request before an upgrade or CONNECT is answered. Node's server looks at its socket no more. */
export function afterTurns(socket: Duplex, next: () => void): void {
  const turn = turnOf(socket);
  if (turn === null) {
    next();
    return;
  }
  // Nobody else tells an answer in progress that its client has read on.
  const onDrain = () => turn.running.response.emit('drain');
  socket.on('drain', onDrain);
  turn.breakOff(() => {
    socket.off('drain', onDrain);
    next();
  });
}
