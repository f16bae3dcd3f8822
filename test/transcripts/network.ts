/** One message on its way. `take` brings it to its receiver; false: there is nobody to read it any more. */
export interface Parcel {
  readonly take: () => boolean;
}

/** Every way between two processes, as `n1→n2`. Nothing moves by itself: a script says what arrives, and when. */
export class Network {
  readonly #ways = new Map<string, Parcel[]>();

  send(from: string, to: string, parcel: Parcel): void {
    const way = `${from}→${to}`;
    const waiting = this.#ways.get(way);
    if (waiting === undefined) this.#ways.set(way, [parcel]);
    else waiting.push(parcel);
  }

  /** The ways with something on them, oldest way first. */
  busy(): readonly string[] {
    return [...this.#ways].filter(([, waiting]) => waiting.length > 0).map(([way]) => way);
  }

  take(way: string): Parcel | null {
    return this.#ways.get(way)?.shift() ?? null;
  }

  /** What is on the way never arrives. */
  lose(way: string): number {
    const waiting = this.#ways.get(way) ?? [];
    return waiting.splice(0).length;
  }
}
