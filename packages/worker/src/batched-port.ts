import type { MessagePort } from 'node:worker_threads';

/**
 * Messages to the other thread, all of one turn of the loop in one: each would else be copied, queued and woken up for by
 * itself. They leave as soon as the code that made them gives the loop back, like what is sent on a link.
 */
export class BatchedPort<T> {
  readonly #port: Pick<MessagePort, 'postMessage'>;
  #waiting: T[] = [];

  constructor(port: Pick<MessagePort, 'postMessage'>) {
    this.#port = port;
  }

  post(message: T): void {
    if (this.#waiting.length === 0) process.nextTick(flush, this);
    this.#waiting.push(message);
  }

  flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    this.#port.postMessage(batch satisfies readonly T[]);
  }
}

const flush = (port: { flush(): void }): void => port.flush();
