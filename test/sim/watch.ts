import {
  assign,
  type Bounds,
  type CopyMachine,
  compareViews,
  type Death,
  deathsMax,
  type FromCopySide,
  formatAddress,
  formatViewNumber,
  isIdempotent,
  type Kept,
  type NodeId,
  type RequestId,
  type SessionId,
  type ToCopySide,
  type ToOwnKeeper,
  type View,
  type ViewNumber,
  type WorkingRecord,
} from '@limpet/core';
import { epochMs } from './host.ts';
import type { WireRequest } from './wire.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

/** Looks at the machines from outside, while they run. Each check names the invariant of PROTOCOL.md that it is for. */
export class Watch {
  readonly #world: World;
  /** The newest view that each thread was given. */
  readonly #seen = new Map<string, View>();
  readonly #unwritten = new Set<string>();
  /** Who commits for a session in a view. */
  readonly #committer = new Map<string, string>();
  /** The highest version that a session's primary has sent in a view. */
  readonly #sent = new Map<string, number>();
  /** Where each request's handler has run. */
  readonly #runs = new Map<RequestId, string[]>();
  /** How many workers each request has ended, and those that a published death names as the only one that ran. */
  readonly #ended = new Map<RequestId, number>();
  readonly #condemned = new Set<RequestId>();
  /** The version that a worker's app has last given its own keeper, by address and session: on its way it is in neither. */
  readonly #handedDown = new Map<string, number>();
  readonly #toldUse = new Map<string, number>();
  readonly #endedBy = new Map<SessionId, number>();
  readonly #reached = new Set<keyof Bounds>();
  readonly sessions = new Set<SessionId>();
  /** The highest version of each session that a response has shown. */
  readonly shown = new Map<SessionId, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** 7 and 20. */
  seesView(thread: string, view: View): void {
    const before = this.#seen.get(thread);
    const isOlder = before !== undefined && compareViews(view, before) < 0;
    if (isOlder && before?.term === view.term)
      this.#fail(7, `${thread} is given ${formatViewNumber(view)} after ${formatViewNumber(before)}`);
    if (!isOlder) this.#seen.set(thread, view);
    if (!this.#world.disk.has(view) && !this.#unwritten.has(formatViewNumber(view)))
      this.#fail(20, `${thread} sees view ${formatViewNumber(view)}, which is not on disk`);
  }

  /** The disk is full: the view is published all the same (decision 0008). */
  unwritten(view: View): void {
    this.#unwritten.add(formatViewNumber(view));
  }

  /** 2: one incarnation commits for a session in a view. */
  sent(from: string, _to: NodeId, message: ToCopySide): void {
    switch (message.kind) {
      case 'touched':
        for (const [id, at] of message.sessions) this.#tells(from, id, at);
        return;
      case 'write':
        this.#tells(from, message.id, message.commit.at);
        this.#checkLog(from, this.#world.workers.get(from)?.engine.record(message.id));
        this.#commits(from, message.id, message.view);
        if (message.commit.destroy) this.#endedBy.set(message.id, message.mark.version);
        this.#notes(message.id, message.view, message.mark.version);
        if (message.buried !== null && message.commit.bury !== null)
          this.#notes(message.commit.bury, message.view, message.buried.version);
        return;
      case 'record':
        for (const record of [message.record, ...message.buried])
          this.#notes(record.id, message.view, record.mark.version);
        this.#tells(from, message.record.id, message.record.touchedAt);
        return;
      case 'digest':
        this.#notes(message.id, message.view, message.mark.version);
        this.#tells(from, message.id, message.touchedAt);
        return;
      default:
        return;
    }
  }

  /** 12: of what there is at one side of a member. Ended sessions may be more for a while: see `forgotten`. */
  bounded(by: string, { tombstonesMax: _, ...kept }: Kept): void {
    for (const [name, count] of Object.entries(kept)) this.#checkBound(by, name as keyof Bounds, count);
  }

  /** 12: at rest every copy has buried what has ended, so nothing keeps a member above its bound. */
  forgotten(by: string, { tombstonesMax }: Kept): void {
    if (tombstonesMax !== undefined) this.#checkBound(by, 'tombstonesMax', tombstonesMax);
  }

  #checkLog(by: string, record: WorkingRecord | null | undefined): void {
    if (record === null || record === undefined) return;
    this.#checkBound(by, 'logEntriesMax', record.log.size);
    this.#checkBound(by, 'logAnswerBytesMax', record.answerBytes);
  }

  #checkBound(by: string, name: keyof Bounds, count: number): void {
    const most = this.#world.bounds[name];
    if (count > most) this.#fail(12, `${by} has ${count} where ${name} is ${most}`);
    if (count < most || this.#reached.has(name)) return;
    this.#reached.add(name);
    this.#world.count(`reached: ${name}`);
  }

  #tells(by: string, id: SessionId, usedAt: number): void {
    const key = `${by} ${id}`;
    if ((this.#toldUse.get(key) ?? 0) < usedAt) this.#toldUse.set(key, usedAt);
  }

  /** The last use of the session that this primary has sent news of, milliseconds since the epoch; 0: of none. */
  toldUse(by: string, id: SessionId): number {
    return this.#toldUse.get(`${by} ${id}`) ?? 0;
  }

  #commits(by: string, id: SessionId, view: ViewNumber): void {
    const key = `${id} ${formatViewNumber(view)}`;
    const known = this.#committer.get(key);
    if (known === undefined) this.#committer.set(key, by);
    else if (known !== by) this.#fail(2, `${known} and ${by} commit for ${id} in ${formatViewNumber(view)}`);
  }

  #notes(id: SessionId, view: ViewNumber, version: number): void {
    this.sessions.add(id);
    const key = `${id} ${formatViewNumber(view)}`;
    if ((this.#sent.get(key) ?? 0) < version) this.#sent.set(key, version);
  }

  /** 4: a copy is never ahead of its primary, and acknowledges only what it holds. */
  answered(by: string, machine: CopyMachine, _to: NodeId, message: FromCopySide): void {
    if (message.kind !== 'ack') return;
    const { id, view, version } = message;
    const sent = this.#sent.get(`${id} ${formatViewNumber(view)}`) ?? 0;
    if (version > sent) this.#fail(4, `${by} acknowledges version ${version} of ${id}, its primary has sent ${sent}`);
    this.#checkLog(`${by}k`, machine.held(id));
    const held = machine.held(id)?.mark.version ?? 0;
    if (held < version) this.#fail(4, `${by} acknowledges version ${version} of ${id} and holds ${held}`);
  }

  /**
   * The version that ended the session, which is all that a sign-out shows of it: a `regenerate` that was under way beside
   * it may have added to its tombstone. Null when no sign-out has ended it.
   */
  endedBy(id: SessionId): number | null {
    return this.#endedBy.get(id) ?? null;
  }

  /** 10: where nothing has run, nothing is told as executed. */
  hasRun(request: RequestId): boolean {
    return this.#runs.has(request);
  }

  /** 18: everyone is done with the view, so each session is where it belongs. */
  complete(view: View, why: string): void {
    for (const id of this.sessions) {
      const { primary, writeSet } = assign(this.#world.rank, view, id);
      const record = this.#memberOf(view, primary)?.engine.record(id) ?? null;
      if (record === null || record.deleted || record.expiresAt < this.#world.scheduler.nowMs + epochMs) continue;
      // Where a loss is allowed, versions that were shown may be lost, and made again.
      const shown = this.#world.settings.mayLose ? 0 : Math.min(this.shown.get(id) ?? 0, record.mark.version);
      if (shown === 0) continue;
      for (const node of writeSet) {
        const worker = this.#memberOf(view, node);
        if (node === primary || worker === null) continue;
        const held = worker.keeper.machine.held(id)?.mark.version ?? 0;
        if (held < shown)
          this.#fail(18, `${why} in ${formatViewNumber(view)}, and ${node} holds ${held} of ${id}, shown is ${shown}`);
      }
    }
  }

  #memberOf(view: View, node: NodeId | null): Worker | null {
    const member = node === null ? undefined : view.members[node];
    return member === undefined ? null : (this.#world.workers.get(formatAddress(member)) ?? null);
  }

  /** 16: a fresh id's rank 1 is its maker. */
  minted(by: string, id: SessionId, view: View | null): void {
    if (view === null) return;
    const [node] = by.split('.');
    for (const ring of [view.ring, view.next ?? []]) {
      if (!ring.some((member) => member === node)) continue;
      const first = this.#world.rank(id, ring, view.members)[0];
      if (first !== node) this.#fail(16, `${by} made ${id}, whose home is ${first}`);
    }
  }

  /** 15 and 19: the handler of a request begins. */
  runs(worker: Worker, { request, ask, session }: WireRequest): void {
    const view = worker.views.current;
    const isMember = view?.members[worker.node]?.incarnation === worker.incarnation;
    if (!isMember) this.#fail(15, `${worker.address} runs a request and is no member of its view`);
    else if (session === null && view !== null && !view.ring.includes(worker.node))
      this.#fail(15, `${worker.address} runs a request and is not in the ring`);
    const runs = this.#runs.get(request) ?? [];
    this.#runs.set(request, runs);
    this.#world.count('runs');
    if (runs.length > 0 && !isIdempotent(ask.method) && !ask.declared)
      this.#fail(19, `${request} runs again at ${worker.address}, and nobody has said that it may`);
    if (this.#condemned.has(request) || (this.#ended.get(request) ?? 0) >= deathsMax)
      this.#fail(19, `${request} runs again at ${worker.address}, and has ended every worker before`);
    for (const address of runs) {
      const isFenced = this.#world.workers.get(address)?.process.isAlive !== true;
      if (!isFenced && !isIdempotent(ask.method))
        this.#fail(19, `${request} runs at ${worker.address} while ${address} may still run it`);
    }
    runs.push(worker.address);
  }

  /** Its request ends the worker. */
  ends({ request }: WireRequest): void {
    this.#ended.set(request, (this.#ended.get(request) ?? 0) + 1);
  }

  /** A view, and the one before it. */
  published(before: View | null, view: View, deaths: readonly Death[]): void {
    this.#buried(deaths);
    if (before === null) return;
    this.#moved(before, view);
    if (deaths.length > 0) return;
    if (before.ring.length > 0 && view.ring.length === 0)
      this.#fail(21, `${formatViewNumber(view)} lets the last member go`);
    if (before.next?.join() === view.ring.join()) this.complete(before, 'a joint view ends');
  }

  /** From now on the balancers can know who ended it (P21). */
  #buried(deaths: readonly Death[]): void {
    for (const { cause, running } of deaths) {
      const [only] = running ?? [];
      if (cause === 'self' && running?.length === 1 && only !== undefined) this.#condemned.add(only);
    }
  }

  /** 5 and 18: a response leaves, and shows this version. */
  released(worker: Worker, id: SessionId, version: number): void {
    if (version === 0) return;
    const view = worker.engine.view;
    if (view === null) return;
    const { primary, writeSet } = assign(this.#world.rank, view, id);
    // Decided in a view before, in this very event: the response was on its way when this view came.
    const isJustEntered = worker.enteredIn === this.#world.scheduler.count;
    if (isJustEntered && (primary === worker.node || worker.enteredViews > 1)) return;
    // Confirmed by whoever was primary meanwhile, before this one was it again.
    if (primary === worker.node && worker.engine.record(id) === null) return;
    if (primary !== worker.node) {
      this.#releasedByFormer(worker, id, version, view);
      return;
    }
    if ((this.shown.get(id) ?? 0) < version) this.shown.set(id, version);
    for (const node of writeSet) {
      if (node === worker.node) continue;
      const member = view.members[node];
      const other = member === undefined ? undefined : this.#world.workers.get(formatAddress(member));
      if (other === undefined) {
        this.#fail(18, `${worker.address} lets out version ${version} of ${id}: ${node} was never there`);
        continue;
      }
      const theirs = other.keeper.machine.view;
      // Further on than this worker: its duties are those of another view.
      if (theirs === null || compareViews(theirs, view) > 0) continue;
      const held = other.keeper.machine.held(id)?.mark.version ?? 0;
      // It had acknowledged the tombstone before it forgot it: above their bound each side forgets the oldest by itself.
      if (held === 0 && worker.engine.record(id)?.deleted && this.#world.settings.isTight) continue;
      if (held < version)
        this.#fail(5, `${worker.address} lets out version ${version} of ${id}, ${node} holds ${held}`);
    }
  }

  /**
   * 2 and 5: the primary of some view has confirmed it, with its whole write set. That view may be over by now, and who
   * was in it may be dead: whoever ever held the version counts. The former primary may be one of the copies by now.
   */
  #releasedByFormer(worker: Worker, id: SessionId, version: number, { ring, copies }: View): void {
    // Past its absolute end since: whoever held it may have forgotten it.
    const expiresAt = worker.keeper.machine.held(id)?.expiresAt ?? Number.POSITIVE_INFINITY;
    if (expiresAt < this.#world.scheduler.nowMs + epochMs) return;
    const others = [...this.#world.workers.values()].filter((other) => other !== worker);
    const holders = others.filter(
      (other) =>
        (this.#handedDown.get(`${other.address} ${id}`) ?? 0) >= version ||
        [other.engine.record(id), other.keeper.machine.held(id)].some((held) => (held?.mark.version ?? 0) >= version),
    );
    if (holders.length < Math.min(copies, ring.length) - 1)
      this.#fail(5, `${worker.address} lets out version ${version} of ${id}, which ${holders.length} others hold`);
  }

  handedDown(address: string, message: ToOwnKeeper | ToCopySide): void {
    if (message.kind !== 'demoted' || message.record === null) return;
    this.#handedDown.set(`${address} ${message.id}`, message.record.mark.version);
  }

  /** 17: who dies, or leaves, takes only its own sessions; who joins gets all that move. */
  #moved(before: View, view: View): void {
    const gone = before.ring.filter((node) => !view.ring.includes(node));
    const come = view.ring.filter((node) => !before.ring.includes(node));
    for (const id of this.sessions) {
      const [was] = this.#world.rank(id, before.ring, before.members, 1);
      const [is] = this.#world.rank(id, view.ring, view.members, 1);
      if (was === is || was === undefined || is === undefined) continue;
      if (!gone.includes(was) && !come.includes(is))
        this.#fail(17, `${id} moves from ${was} to ${is} in ${formatViewNumber(view)}`);
    }
  }

  #fail(invariant: number, what: string): void {
    this.#world.fail(`invariant ${invariant}: ${what}`);
  }
}
