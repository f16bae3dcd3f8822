import type { Operation } from './model.ts';
import type { Random } from './random.ts';
import { type Ground, type Manner, Visit } from './visit.ts';

export interface LoadOptions {
  readonly sessions: number;
  readonly connections: number;
  /** Requests per second over all connections; each waits for its answer before the next. */
  readonly rate: number;
  /** Paths of the app that are asked for besides. */
  readonly paths: readonly string[];
}

/** Values in a list: above it nothing is appended, so that a session stays small. */
const listMax = 16;
/** A session lives for so many requests, then its user signs out and another one in. */
const requestsPerVisit = 120;
/** A session with so many writes of unknown end is signed out: each doubles the work of checking it. */
const undecidedMax = 3;
/** Shares of the turns. */
const pairShare = 0.1;
const slowShare = 0.05;
const keyedShare = 0.1;
const pathShare = 0.1;
/** The longest that a handler of the drill takes, in milliseconds. */
const slowMs = 60;

/** A closed loop of clients, each connection with sessions of its own. */
export class Load {
  readonly #ground: Ground;
  readonly #options: LoadOptions;
  readonly #random: Random;
  /** One for each connection: the sessions that it serves in turn. */
  readonly #lanes: readonly (Visit | null)[][];
  #loops: readonly Promise<void>[] = [];
  #ended = false;
  #users = 0;
  #values = 0;

  constructor(ground: Ground, options: LoadOptions, random: Random) {
    this.#ground = ground;
    this.#options = options;
    this.#random = random;
    const width = Math.min(options.connections, options.sessions);
    this.#lanes = Array.from({ length: width }, (_, lane) =>
      Array.from({ length: Math.ceil((options.sessions - lane) / width) }, () => null),
    );
  }

  /** The sessions that are signed in. */
  get #visits(): readonly Visit[] {
    return this.#lanes.flat().filter((visit) => visit !== null && !visit.isOver) as Visit[];
  }

  start(): void {
    this.#loops = this.#lanes.map((lane) => this.#run(lane));
  }

  /** Resolves once every session has been signed in. */
  async full(): Promise<void> {
    while (this.#lanes.some((lane) => lane.includes(null))) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** The users of these incarnations ask at once, a few of them: how soon they are served must not hang on their pace. */
  nudge(addresses: readonly string[], most: number): void {
    const theirs = this.#visits.filter((visit) => visit.by !== null && addresses.includes(visit.by));
    for (const visit of theirs.slice(0, most)) void visit.do({ kind: 'read' });
  }

  /** No new requests; then one last look at every session. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#loops);
    const left = [...this.#visits];
    const look = async (): Promise<void> => {
      for (let visit = left.pop(); visit; visit = left.pop()) await visit.do({ kind: 'read' });
    };
    await Promise.all(Array.from({ length: this.#options.connections }, look));
  }

  async #run(lane: (Visit | null)[]): Promise<void> {
    const { rate, connections, paths } = this.#options;
    // A turn is one request, or two at once.
    const everyMs = (connections * 1000 * (1 + pairShare)) / rate;
    let dueAt = performance.now() + this.#random.next() * everyMs;
    for (let turn = 0; !this.#ended; turn = (turn + 1) % lane.length) {
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      // Who was held up does not catch up: that would be a burst nobody asked for.
      dueAt = Math.max(dueAt + everyMs, performance.now());
      if (paths.length > 0 && this.#random.isBelow(pathShare)) await this.#askApp();
      else await this.#turn(lane, turn);
    }
  }

  async #turn(lane: (Visit | null)[], turn: number): Promise<void> {
    const visit = lane[turn] ?? null;
    if (visit === null || visit.isOver) {
      this.#users += 1;
      const fresh = new Visit(this.#ground, `u${this.#users}`);
      await fresh.login();
      lane[turn] = fresh;
      return;
    }
    if (visit.requests >= requestsPerVisit || visit.undecided > undecidedMax) return visit.logout();
    if (this.#random.isBelow(pairShare)) await Promise.all([this.#request(visit), this.#request(visit)]);
    else await this.#request(visit);
  }

  async #request(visit: Visit): Promise<void> {
    const operation = this.#draw(visit);
    await visit.do(operation, this.#manner(operation));
  }

  #draw(visit: Visit): Operation {
    const draw = this.#random.next();
    if (draw < 0.35) return { kind: 'read' };
    if (draw < 0.5 && visit.appends < listMax) {
      this.#values += 1;
      return { kind: 'append', value: `v${this.#values}` };
    }
    return { kind: 'add' };
  }

  #manner(operation: Operation): Manner {
    if (operation.kind === 'read') return {};
    if (this.#random.isBelow(slowShare)) return { ms: this.#random.whole(2, slowMs) };
    if (!this.#random.isBelow(keyedShare)) return {};
    this.#values += 1;
    return { key: `k${this.#values}` };
  }

  async #askApp(): Promise<void> {
    const { client, tally, outages } = this.#ground;
    const path = this.#random.pick(this.#options.paths) ?? '/';
    tally.requests += 1;
    for (let round = 0; round < 4; round += 1) {
      const reply = await client.ask({ method: 'GET', path, cookie: null });
      if (reply.kind === 'cut' && outages.isBalancerDown) {
        tally.cutByBalancer += 1;
        continue;
      }
      if (reply.kind === 'answer' && reply.status < 500 && reply.outcome === null) return;
      tally.failedIdempotent += 1;
      tally.note(`GET ${path}: ${reply.kind === 'answer' ? `${reply.status} ${reply.outcome ?? ''}` : reply.kind}`);
      return;
    }
    tally.failedIdempotent += 1;
  }
}
