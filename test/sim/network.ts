import type { Dice } from './dice.ts';
import type { Scheduler, Thread } from './scheduler.ts';

/** How long things take on their way, in milliseconds. */
export interface Weather {
  /** A message of one connection. */
  readonly fastMs: number;
  /** Now and then one is slow. */
  readonly slowMs: number;
  readonly slowChance: number;
}

/** The sockets between processes: ordered streams, each as slow as it likes. */
export class Network {
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  weather: Weather;

  constructor(scheduler: Scheduler, dice: Dice, weather: Weather) {
    this.scheduler = scheduler;
    this.dice = dice;
    this.weather = weather;
  }

  delay(): number {
    const { fastMs, slowMs, slowChance } = this.weather;
    const { dice } = this;
    return dice.chance(slowChance) ? dice.between(fastMs, slowMs) : dice.between(0.02, fastMs);
  }
}

/** One direction of a connection: in order, at random speed; what is under way when it breaks is lost. */
export class Pipe<Message> {
  readonly #network: Network;
  readonly #to: Thread;
  readonly #receive: (message: Message) => void;
  #lastAt = 0;
  #epoch = 0;
  #isBroken = false;

  constructor(network: Network, to: Thread, receive: (message: Message) => void) {
    this.#network = network;
    this.#to = to;
    this.#receive = receive;
  }

  send(message: Message): void {
    if (this.#isBroken) return;
    const epoch = this.#epoch;
    this.#deliver(
      () => this.#receive(message),
      () => epoch === this.#epoch,
    );
  }

  /** Comes after everything sent before, as the end of a stream does. */
  end(run: () => void): void {
    const epoch = this.#epoch;
    this.#deliver(run, () => epoch === this.#epoch);
  }

  /** What is sent from now on takes so much longer, in milliseconds: it catches up in time. */
  lag(ms: number): void {
    this.#lastAt = Math.max(this.#lastAt, this.#network.scheduler.nowMs) + ms;
  }

  /** What has not arrived never will, and nothing more can be sent. */
  lose(): void {
    this.#isBroken = true;
    this.#epoch += 1;
  }

  #deliver(run: () => void, arrives: () => boolean): void {
    const { scheduler } = this.#network;
    const at = Math.max(scheduler.nowMs + this.#network.delay(), this.#lastAt + 0.001);
    this.#lastAt = at;
    scheduler.at(at - scheduler.nowMs, this.#to, run, arrives);
  }
}
