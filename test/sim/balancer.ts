import {
  type AttemptNote,
  type AttemptResult,
  Cluster,
  type Destination,
  Journey,
  type Relay,
  SerialLane,
} from '@limpet/balancer';
import {
  type FromSupervisor,
  formatAddress,
  type Member,
  type RequestId,
  type SessionId,
  Suspects,
  type ToSupervisor,
  type View,
} from '@limpet/core';
import { Connection } from './connection.ts';
import { hello } from './greeting.ts';
import { Redialled } from './link.ts';
import type { Process } from './process.ts';
import { Thread } from './scheduler.ts';
import { type Ask, type Body, decodeBody, type Outcome, type WireAnswer } from './wire.ts';
import type { World } from './world.ts';

/** Where an attempt goes, and who is told when it is removed. */
interface Upstream extends Destination {
  inFlightAtDeath: number | null;
  readonly whenRemoved: Set<() => void>;
}

/** A balancer: the product's routes, journeys, lane and suspects, on virtual connections. */
export class Balancer {
  readonly world: World;
  readonly process: Process;
  readonly thread: Thread;
  readonly name: string;
  readonly cluster: Cluster;
  readonly #upstreams = new Map<string, Upstream>();
  /** With a request under way on it. */
  readonly connections = new Set<Connection>();
  readonly #relay: Relay<Upstream>;
  readonly #control: Redialled<ToSupervisor, FromSupervisor>;

  constructor(world: World, process: Process, name: string, incarnation: number) {
    this.world = world;
    this.process = process;
    this.name = name;
    this.thread = new Thread(process.name, process, true);
    this.cluster = new Cluster((view) => this.#keepOnly(view));
    this.cluster.welcome(world.welcome);
    this.#relay = {
      cluster: this.cluster,
      upstreams: {
        get: (member) => this.#upstream(member),
        inFlight: (member) => this.#upstreams.get(formatAddress(member))?.inFlight ?? 0,
      },
      suspects: new Suspects(),
      lane: new SerialLane(),
      log: { warn: () => {}, error: () => {} } as unknown as Relay['log'],
      reset: ({ member }) => this.#control.send({ kind: 'reset', node: member.id, incarnation: member.incarnation }),
    };
    this.#control = new Redialled(world.network, this.thread, () => world.supervisorPort(), {
      open: (send) => send(hello('balancer', { name, incarnation }, this.cluster.view, this.cluster.settled)),
      message: (message) => {
        if (message.kind === 'views') for (const view of message.views) world.watch.seesView(process.name, view);
        if (message.kind === 'views' || message.kind === 'settled' || message.kind === 'suspects')
          this.cluster.tell(message);
      },
      close: () => {},
    });
  }

  /** Whether it has had enough of a route or a session whose requests have ended workers (P21). */
  refuses({ method, kind }: Ask, session: SessionId | null): boolean {
    const route = Suspects.route(method, `/${kind}`);
    return this.#relay.suspects.standing(route, session, this.world.scheduler.nowMs).kind === 'refused';
  }

  /** It has views, so it listens. */
  get isListening(): boolean {
    return this.process.isAlive && this.cluster.table !== null;
  }

  /** A client's request has come. Calls back once, on this thread. */
  take(ask: Ask, session: SessionId | null, done: (outcome: Outcome, request: RequestId) => void): void {
    const { world } = this;
    const request = world.requestId();
    const bodies: Body[] = [];
    const down = { isGone: false, cut: () => {} };
    const head = { method: ask.method, path: ask.declared ? '/declared' : `/${ask.kind}` };
    const passage = { id: request, session, replayable: true, declared: ask.declared, head };
    const send = (to: Upstream, note: AttemptNote) => this.#attempt(to, note, request, session, ask, bodies);
    const journey = new Journey(this.#relay, passage, send, down, world.settings.deadlineMs);
    const over = journey.run().then((end) => {
      switch (end.kind) {
        case 'held':
          for (const bytes of end.body) bodies.push(decodeBody(bytes));
          return done(end.head.status === 200 ? { kind: 'answered', bodies } : failed(end.head.status), request);
        case 'page':
          return done({ kind: 'refused', outcome: end.outcome }, request);
        case 'cut':
          return done({ kind: 'broken', bodies }, request);
        case 'done':
          return done({ kind: isWhole.has(bodies) ? 'answered' : 'broken', bodies }, request);
      }
    });
    over.catch((error: unknown) => world.crashed(error));
  }

  #upstream(member: Member): Upstream {
    const address = formatAddress(member);
    const known = this.#upstreams.get(address);
    if (known !== undefined) return known;
    const made: Upstream = {
      member,
      address,
      isFull: false,
      inFlight: 0,
      inFlightAtDeath: null,
      whenRemoved: new Set(),
    };
    this.#upstreams.set(address, made);
    return made;
  }

  #keepOnly(view: View): void {
    for (const [address, upstream] of this.#upstreams) {
      const listed = view.members[upstream.member.id];
      if (listed !== undefined && formatAddress(listed) === address) continue;
      upstream.inFlightAtDeath = upstream.inFlight;
      this.#upstreams.delete(address);
      for (const told of upstream.whenRemoved) told();
    }
  }

  /** One attempt at one worker: what balancer/exchange.ts makes of the bytes that come back. */
  #attempt(
    to: Upstream,
    note: AttemptNote,
    request: RequestId,
    session: SessionId | null,
    ask: Ask,
    bodies: Body[],
  ): Promise<AttemptResult> {
    const { world } = this;
    const worker = world.workers.get(to.address);
    if (worker === undefined || !worker.process.isAlive) return Promise.resolve({ kind: 'unsent' });
    world.log.line(
      this.name,
      `${request.slice(-4)} → ${to.address} attempt ${note.attempt} prior ${note.prior ?? '-'}`,
    );
    return new Promise((resolve) => {
      const attempt = new Attempt(request, bodies, (result) => {
        to.whenRemoved.delete(giveUp);
        this.connections.delete(connection);
        world.log.line(this.name, `${request.slice(-4)} ← ${to.address} ${describe(result)}`);
        resolve(result);
      });
      // The dead are given up once what they had written has been read.
      const giveUp = () => {
        const twice = () => world.scheduler.at(0.002, this.thread, () => attempt.giveUp());
        world.scheduler.at(0.002, this.thread, twice);
      };
      to.whenRemoved.add(giveUp);
      const { view, attempt: number, prior, deadlineMs } = note;
      const wire = { request, session, view, attempt: number, prior, deadlineMs, ask };
      const connection = new Connection(world.network, this.thread, worker, wire, attempt);
      this.connections.add(connection);
    });
  }
}

/** Answers relayed as they came, to their end. */
const isWhole = new WeakSet<readonly Body[]>();

const failed = (status: number): Outcome => ({ kind: 'refused', outcome: `status ${status}` });

const describe = (result: AttemptResult): string =>
  result.kind === 'verdict'
    ? `verdict ${result.outcome}`
    : result.kind === 'broken'
      ? `broken ${result.back}`
      : result.kind;

/** What has come back of one attempt. */
class Attempt {
  readonly #request: RequestId;
  readonly #bodies: Body[];
  readonly #done: (result: AttemptResult) => void;
  #head: (WireAnswer & { readonly kind: 'head' }) | null = null;
  #back: 'nothing' | 'head' | 'part' = 'nothing';
  #pieces: Uint8Array[] = [];
  #isOver = false;

  constructor(request: RequestId, bodies: Body[], done: (result: AttemptResult) => void) {
    this.#request = request;
    this.#bodies = bodies;
    this.#done = done;
  }

  answered(message: WireAnswer): void {
    if (this.#isOver) return;
    switch (message.kind) {
      case 'head':
        this.#back = 'head';
        if (message.echo !== this.#request) this.#finish({ kind: 'malformed', why: 'another request id' });
        this.#head = message;
        return;
      case 'piece':
        this.#back = 'part';
        if (this.#head?.isStream) this.#bodies.push(decodeBody(message.body));
        else this.#pieces.push(message.body);
        return;
      case 'end':
        this.#ended();
    }
  }

  #ended(): void {
    const head = this.#head;
    if (head === null) return;
    if (head.status === 421 && head.verdict === 'not-executed') {
      this.#finish({ kind: 'refused', view: head.view });
    } else if (head.verdict !== null) {
      const outcome = head.verdict as 'unknown';
      this.#finish({ kind: 'verdict', outcome, isLate: head.status === 504 });
    } else if (head.isStream) {
      isWhole.add(this.#bodies);
      this.#finish({ kind: 'relayed' });
    } else {
      const answer = { status: head.status } as Extract<AttemptResult, { kind: 'held' }>['head'];
      this.#finish({ kind: 'held', head: answer, body: this.#pieces.map((piece) => Buffer.from(piece)) });
    }
  }

  /** The connection has ended. A verdict needs no more than its head. */
  ended(): void {
    if (this.#head !== null && this.#head.verdict !== null) this.#ended();
    this.#finish({ kind: 'broken', back: this.#back, out: this.#head?.isStream === true });
  }

  giveUp(): void {
    if (this.#back === 'nothing') this.ended();
  }

  #finish(result: AttemptResult): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(result);
  }
}
