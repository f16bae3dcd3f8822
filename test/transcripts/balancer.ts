import {
  type AttemptNote,
  type AttemptResult,
  Cluster,
  type Destination,
  type End,
  Journey,
  type Relay,
  SerialLane,
} from '@limpet/balancer';
import {
  errorTable,
  type FromSupervisor,
  formatAddress,
  formatViewNumber,
  type Member,
  Suspects,
  type View,
  type Welcome,
} from '@limpet/core';
import { rankKey } from './names.ts';
import type { Ask, Stage } from './stage.ts';
import { lifetimes, type Worker } from './worker.ts';

interface Upstream extends Destination {
  inFlightAtDeath: number | null;
}

const welcome: Welcome = {
  kind: 'welcome',
  rankKey,
  macKeys: [new Uint8Array(16).fill(4)],
  proofKey: new Uint8Array(16),
  cookieName: 'JSESSIONID',
  headerName: null,
  store: 'buddy',
  ...lifetimes,
  absoluteMs: 0,
  secureCookie: false,
  orphanMs: 0,
};

/** What a client learns of its request. */
export type Outcome = { readonly status: number; readonly text: string; readonly outcome: string | null };

/** A balancer: the product's routes, journeys, lane and suspects, on connections without delay. */
export class Balancer {
  readonly name: string;
  readonly cluster: Cluster;
  readonly #stage: Stage;
  readonly #workers: ReadonlyMap<string, Worker>;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #relay: Relay<Upstream>;
  readonly #unreached = new Set<string>();

  constructor(stage: Stage, name: string, workers: ReadonlyMap<string, Worker>) {
    this.#stage = stage;
    this.name = name;
    this.#workers = workers;
    this.cluster = new Cluster((view) => this.#forget(view));
    this.cluster.welcome(welcome);
    this.#relay = {
      cluster: this.cluster,
      upstreams: {
        get: (member) => this.#upstream(member),
        inFlight: (member) => this.#upstreams.get(formatAddress(member))?.inFlight ?? 0,
      },
      suspects: new Suspects(),
      lane: new SerialLane(),
      log: {
        warn: ((_: object, text: string) => stage.tell(`${name}: ${text}`)) as Relay['log']['warn'],
        error: () => {},
      },
      reset: () => {},
    };
  }

  tell(message: Extract<FromSupervisor, { kind: 'views' | 'settled' }>): void {
    const view = message.kind === 'views' ? message.views.at(-1) : undefined;
    if (view !== undefined) this.#stage.tell(`${this.name} routes by view ${formatViewNumber(view)}`);
    this.cluster.tell(message);
  }

  /** A client's request, to its end. */
  async take(ask: Ask): Promise<Outcome> {
    const { request: id, session, method } = ask;
    const passage = { id, session, declared: false, replayable: true, head: { method, path: `/${ask.name}` } };
    const send = (to: Upstream, note: AttemptNote) => this.#attempt(to, note, ask);
    const down = { isGone: false, cut: () => {} };
    return outcomeOf(await new Journey(this.#relay, passage, send, down, lifetimes.deadlineMs).run());
  }

  async #attempt(to: Upstream, note: AttemptNote, ask: Ask): Promise<AttemptResult> {
    const worker = this.#workers.get(to.address);
    const which = note.attempt === 1 ? '' : `, attempt ${note.attempt}`;
    const words = `${this.name} → ${to.member.id}: ${ask.name} ${ask.method} by view ${formatViewNumber(note.view)}${which}`;
    if (worker?.isAlive !== true) {
      // It tries every quarter of a second: told once.
      if (!this.#unreached.has(words)) this.#stage.tell(`${words}; cannot be reached, nothing was sent`);
      this.#unreached.add(words);
      return { kind: 'unsent' };
    }
    this.#stage.tell(words);
    const result = await worker.serve(ask, note);
    if (result.kind === 'broken')
      this.#stage.tell(`${this.name}: the connection of ${ask.name} to ${to.member.id} ends without an answer`);
    return result;
  }

  #upstream(member: Member): Upstream {
    const address = formatAddress(member);
    const known = this.#upstreams.get(address);
    if (known !== undefined) return known;
    const made: Upstream = { member, address, isFull: false, inFlight: 0, inFlightAtDeath: null };
    this.#upstreams.set(address, made);
    return made;
  }

  /** How many requests a member had when its death became known (P21). */
  #forget(view: View): void {
    for (const [address, upstream] of this.#upstreams) {
      const listed = view.members[upstream.member.id];
      if (listed !== undefined && formatAddress(listed) === address) continue;
      upstream.inFlightAtDeath = upstream.inFlight;
      this.#upstreams.delete(address);
    }
  }
}

function outcomeOf(end: End): Outcome {
  switch (end.kind) {
    case 'held': {
      const text = Buffer.concat(end.body).toString();
      return { status: end.head.status, text, outcome: null };
    }
    case 'page': {
      const retry = end.retryAfter === undefined ? '' : `, retry after ${end.retryAfter} s`;
      return { status: errorTable[end.code].status ?? 500, text: `${end.outcome}${retry}`, outcome: end.outcome };
    }
    default:
      throw new Error(`no story streams: ${end.kind}`);
  }
}
