import type { Client, Reply } from './client.ts';
import { type Ending, type Entry, endOperation } from './history.ts';
import { Linearizer } from './linearizer.ts';
import type { Operation, State } from './model.ts';
import type { Outages } from './outages.ts';
import type { Tally } from './tally.ts';

/** What all sessions of a drill share. */
export interface Ground {
  readonly client: Client;
  /** The path under which the operations stand. */
  readonly door: string;
  readonly tally: Tally;
  readonly outages: Outages;
}

/** Requests of a session kept to show how an impossible answer came about. */
const entriesKept = 60;
/** A reader tries again this often when its connection ends, as a browser does. */
const readTries = 4;
/** A write with an Idempotency-Key may be repeated. */
const keyedTries = 8;
/** Between two tries. */
const againMs = 100;

export interface Manner {
  /** Milliseconds that the handler takes. */
  readonly ms?: number;
  /** Sent under this Idempotency-Key, again and again until its answer is known. */
  readonly key?: string;
}

/** One session from its login to its logout: every request of it, sent, recorded and checked. */
export class Visit {
  readonly user: string;
  readonly #ground: Ground;
  readonly #linearizer = new Linearizer();
  readonly #entries: Entry[] = [];
  #cookie: string | null = null;
  /** The incarnation that answered last. */
  #by: string | null = null;
  #requests = 0;
  #appends = 0;
  #isOver = false;

  constructor(ground: Ground, user: string) {
    this.#ground = ground;
    this.user = user;
  }

  get requests(): number {
    return this.#requests;
  }

  /** Values sent for the list. */
  get appends(): number {
    return this.#appends;
  }

  get by(): string | null {
    return this.#by;
  }

  get cookie(): string | null {
    return this.#cookie;
  }

  /** It is not to be used any more: signed out, never signed in, or gone. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Writes of unknown end that no answer has settled. */
  get undecided(): number {
    return this.#linearizer.undecided;
  }

  async login(): Promise<void> {
    this.#ground.tally.sessions += 1;
    const ending = await this.do({ kind: 'login', user: this.user });
    if (ending.kind !== 'answered' || this.#cookie === null) this.#isOver = true;
  }

  /** Signs out, and looks with the old cookie whether that was the end. */
  async logout(): Promise<void> {
    this.#isOver = true;
    await this.do({ kind: 'logout' });
    await this.do({ kind: 'read' });
  }

  /** Sends one request of this session and waits for its end. */
  async do(operation: Operation, manner: Manner = {}): Promise<Ending> {
    const { tally, outages } = this.#ground;
    const id = this.#linearizer.invoke(operation);
    const invokedAt = performance.now();
    const before = this.#by;
    this.#requests += 1;
    if (operation.kind === 'append') this.#appends += 1;
    tally.requests += 1;
    if (manner.key !== undefined) tally.keyed += 1;
    const reply = await this.#ask(operation, manner);
    const endedAt = performance.now();
    const answer = readReply(reply);
    if (answer.by !== null) {
      this.#by = answer.by;
      outages.served(before, answer.by, invokedAt, endedAt);
      tally.latency.add(endedAt - invokedAt - (manner.ms ?? 0));
    }
    if (operation.kind === 'login' && reply.kind === 'answer') this.#cookie = reply.cookie;
    this.#count(operation, reply, answer.ending);
    this.#check(id, { operation, invokedAt, endedAt, ending: answer.ending });
    return answer.ending;
  }

  async #ask(operation: Operation, manner: Manner): Promise<Reply> {
    const isRead = operation.kind === 'read';
    const path = `/${this.#ground.door}/${pathOf(operation)}${manner.ms === undefined ? '' : `&ms=${manner.ms}`}`;
    const { key } = manner;
    const asked = {
      method: isRead ? 'GET' : 'POST',
      path,
      cookie: this.#cookie,
      ...(key !== undefined && { key }),
    } as const;
    const tries = isRead ? readTries : key === undefined ? 1 : keyedTries;
    for (let round = 1; ; round += 1) {
      const reply = await this.#ground.client.ask(asked);
      if (reply.kind === 'cut' && this.#ground.outages.isBalancerDown) this.#ground.tally.cutByBalancer += 1;
      else if (isRead || !isUnsettled(reply)) return reply;
      if (round === tries) return reply;
      await new Promise((resolve) => setTimeout(resolve, againMs * (isRead ? 0.1 : round)));
    }
  }

  #count(operation: Operation, reply: Reply, ending: Ending): void {
    const { tally, outages } = this.#ground;
    const what = `${operation.kind}: ${reply.kind === 'answer' ? `${reply.status} ${reply.outcome ?? ''}` : reply.kind}`;
    if (operation.kind === 'read') {
      if (ending.kind === 'answered') return;
      if (outages.isDouble && reply.kind === 'answer' && reply.status === 502 && reply.outcome === 'unknown') {
        tally.metTwoDeaths += 1;
        return;
      }
      tally.failedIdempotent += 1;
      tally.note(what);
      return;
    }
    tally.wrote(ending);
    const isExpected =
      reply.kind === 'answer'
        ? reply.status === 200 || reply.outcome !== null
        : reply.kind === 'cut' && outages.isBalancerDown;
    if (!isExpected) tally.note(what);
  }

  #check(id: number, entry: Entry): void {
    const { tally } = this.#ground;
    this.#entries.push(entry);
    if (this.#entries.length > entriesKept) this.#entries.shift();
    if (entry.ending.kind === 'answered') tally.checked += 1;
    const anomaly = endOperation(this.#linearizer, id, entry.ending);
    if (anomaly === null) return;
    tally.add(anomaly, this.user, [...this.#entries]);
    this.#isOver = true;
  }
}

/** The answer of an Idempotency-Key's write is not known yet: asked again, it comes. */
const isUnsettled = (reply: Reply): boolean => reply.kind !== 'answer' || reply.outcome !== null;

function pathOf(operation: Operation): string {
  switch (operation.kind) {
    case 'login':
      return `login?user=${operation.user}`;
    case 'append':
      return `append?value=${operation.value}`;
    default:
      return `${operation.kind}?`;
  }
}

/** What the reply says of the request, and which incarnation says it. */
function readReply(reply: Reply): { readonly ending: Ending; readonly by: string | null } {
  switch (reply.kind) {
    case 'refused':
      return { ending: { kind: 'refused' }, by: null };
    case 'cut':
    case 'late':
      return { ending: { kind: 'unknown' }, by: null };
    case 'answer': {
      if (reply.status === 200) {
        const { shown, by } = JSON.parse(reply.text) as { readonly shown: State; readonly by: string };
        return { ending: { kind: 'answered', shown }, by };
      }
      const kind = reply.outcome === 'not-executed' ? 'refused' : reply.outcome === 'executed' ? 'ran' : 'unknown';
      return { ending: { kind }, by: null };
    }
  }
}
