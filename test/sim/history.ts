import { assign, compareViews, formatAddress, type RequestId, type SessionId, touchGraceMs } from '@limpet/core';
import { epochMs } from './host.ts';
import type { Ask, Body, Outcome } from './wire.ts';
import type { Worker } from './worker.ts';
import type { World } from './world.ts';

/** One request as its client knows it. */
export interface Operation {
  readonly user: number;
  readonly ask: Ask;
  readonly presented: SessionId | null;
  readonly startMs: number;
  /** What was known of the presented id when it began. */
  readonly known: Known | null;
}

/** What the clients have been told of one session id. */
interface Known {
  readonly birth: string;
  /** The start of the first request that may have ended it. */
  mayEndFromMs: number;
  /** The requests that may have ended it, by their tags. */
  readonly enders: Set<string>;
  /** Told that it has ended. */
  endedAtMs: number;
  readonly createdFromMs: number;
  readonly givenAtMs: number;
  lastUseFromMs: number;
  lastUseUntilMs: number;
  /** Requests that present it and are not answered yet: they keep it in use. */
  underWay: number;
  /** All that held its last version have died. */
  lost: boolean;
  /** The dead whose last news of its use has reached no copy: uses at these are not promised (P14). */
  readonly unheard: Set<string>;
}

/** What answers have shown of one session, under whatever id. */
interface Line {
  log: readonly string[];
  other: readonly string[];
  readonly shown: { readonly atMs: number; readonly log: number; readonly other: number }[];
  lost: boolean;
}

const enders = new Set<Ask['kind']>(['renew', 'regenerate', 'destroy']);
const appends = new Set<Ask['kind']>(['append', 'appendTwice', 'put', 'save', 'stream', 'renew', 'regenerate']);

/** Checks what clients were told against each other: every visible answer, in real time. */
export class History {
  readonly #world: World;
  readonly #ids = new Map<SessionId, Known>();
  readonly #lines = new Map<string, Line>();
  readonly #notExecuted = new Set<string>();
  readonly #users = new Map<number, SessionId | null>();
  lostSessions = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The cookie of a user. */
  cookieOf(user: number): SessionId | null {
    return this.#users.get(user) ?? null;
  }

  begin(user: number, ask: Ask): Operation {
    const presented = this.cookieOf(user);
    const startMs = this.#world.scheduler.nowMs;
    const known = presented === null ? undefined : this.#ids.get(presented);
    if (known !== undefined) known.underWay += 1;
    if (known !== undefined && enders.has(ask.kind)) {
      known.mayEndFromMs = Math.min(known.mayEndFromMs, startMs);
      known.enders.add(ask.tag);
    }
    return { user, ask, presented, startMs, known: known ?? null };
  }

  end(operation: Operation, outcome: Outcome, request: RequestId): void {
    this.#world.count(outcome.kind === 'refused' ? outcome.outcome : outcome.kind);
    this.#world.count('operations');
    const bodies = outcome.kind === 'refused' ? [] : outcome.bodies;
    for (const body of bodies) this.#check(operation, body, request);
    if (outcome.kind === 'refused' && outcome.outcome === 'not-executed') this.#refuted(operation.ask);
    if (outcome.kind === 'refused' && outcome.outcome === 'executed' && !this.#world.watch.hasRun(request))
      this.#fail(10, `${operation.ask.tag} is told as executed, and has run nowhere`);
    const last = bodies.at(-1);
    if (last !== undefined) this.#told(operation, last, outcome.kind === 'answered');
    const known = operation.presented === null ? undefined : this.#ids.get(operation.presented);
    if (known !== undefined) known.lastUseUntilMs = this.#world.scheduler.nowMs;
    if (operation.known !== null) operation.known.underWay -= 1;
    if (known !== undefined && bodies.some(({ found, at }) => found === known.birth && !known.unheard.has(at)))
      known.lastUseFromMs = Math.max(known.lastUseFromMs, operation.startMs);
  }

  // ——— 10, 19: certainly not run means no effect ———

  #refuted({ tag }: Ask): void {
    this.#notExecuted.add(tag);
    for (const line of this.#lines.values()) this.#checkRefuted(line.log);
  }

  #checkRefuted(tags: readonly string[]): void {
    for (const tag of tags) {
      if (this.#notExecuted.has(tag.replace('+', '')))
        this.#fail(10, `${tag} was told as not executed, and has an effect`);
    }
  }

  // ——— What an answer may show ———

  #check(operation: Operation, body: Body, request: RequestId): void {
    // 11
    if (body.request !== request) this.#fail(11, `the answer of ${body.request} reaches ${request}`);
    this.#checkFound(operation, body);
    const { ask } = operation;
    if (body.birth === null) return;
    const line = this.#lineOf(body.birth);
    if (line.lost) return;
    // Ended by another request while this one ran: it may find it emptied.
    const known = operation.presented === null ? undefined : this.#ids.get(operation.presented);
    if (
      known !== undefined &&
      known.mayEndFromMs < Number.POSITIVE_INFINITY &&
      body.log.length * body.other.length === 0
    )
      return;
    this.#checkList(operation, line, body, 'log');
    this.#checkList(operation, line, body, 'other');
    if (body.count !== body.log.length)
      this.#fail(1, `${ask.tag}: count ${body.count} beside a list of ${body.log.length}`);
    if (appends.has(ask.kind) && !body.log.includes(ask.tag))
      this.#fail(
        1,
        `${ask.tag} is answered by ${body.at} and not in the list: found ${body.found}, birth ${body.birth}, log ${body.log.join(' ')}, other ${body.other.join(' ')}`,
      );
    if (ask.kind === 'other' && !body.other.includes(ask.tag))
      this.#fail(
        1,
        `${ask.tag} is answered by ${body.at} and not in the list: found ${body.found}, birth ${body.birth}, log ${body.log.join(' ')}, other ${body.other.join(' ')}`,
      );
    line.shown.push({ atMs: this.#world.scheduler.nowMs, log: body.log.length, other: body.other.length });
  }

  #lineOf(birth: string): Line {
    const known = this.#lines.get(birth);
    if (known !== undefined) return known;
    const line: Line = { log: [], other: [], shown: [], lost: false };
    this.#lines.set(birth, line);
    return line;
  }

  /** 1, 3, 5, 10: all that answers show of a list is one list that grows; nobody sees less than was shown before. */
  #checkList({ ask, startMs }: Operation, line: Line, body: Body, name: 'log' | 'other'): void {
    const shown = line[name];
    const seen = body[name];
    const [short, long] = seen.length < shown.length ? [seen, shown] : [shown, seen];
    for (let at = 0; at < short.length; at += 1) {
      if (short[at] !== long[at]) {
        this.#fail(1, `${ask.tag} at ${body.at} sees ${name} ${seen.join(' ')}, shown before: ${shown.join(' ')}`);
        return;
      }
    }
    if (new Set(seen).size !== seen.length) this.#fail(10, `${ask.tag} sees an effect twice: ${seen.join(' ')}`);
    for (let at = line.shown.length - 1; at >= 0; at -= 1) {
      const before = line.shown[at];
      if (before === undefined || before.atMs >= startMs) continue;
      if (seen.length < before[name])
        this.#fail(
          3,
          `${ask.tag} at ${body.at} sees ${name} ${seen.join(' ')}, ${before[name]} were shown before it began: ${shown.join(' ')}`,
        );
    }
    if (seen.length > shown.length) {
      line[name] = seen;
      this.#checkRefuted(seen.slice(shown.length));
    }
  }

  /** 1, 6, 14: a session that must be there is there, and one that has ended is not. */
  #checkFound({ ask, presented, startMs }: Operation, body: Body): void {
    const known = presented === null ? undefined : this.#ids.get(presented);
    if (known === undefined || known.lost) return;
    const { idleMs, absoluteMs } = this.#world.settings;
    if (body.found !== known.birth && !this.#mayHaveExpired(known)) {
      const what = `${ask.tag} at ${body.at} finds ${body.found ?? 'no session'} under ${presented}, which is ${known.birth}`;
      if (known.enders.size === 0) this.#fail(1, what);
      // Ended by an earlier run of the same request.
      // Where hardly a tombstone is kept, one may be forgotten, and its log with it, while its request is tried again.
      const isRerun = known.enders.size === 1 && known.enders.has(ask.tag);
      if (isRerun && !this.#world.settings.isTight) this.#fail(10, what);
    }
    if (known.endedAtMs < startMs && body.found === known.birth)
      this.#fail(6, `${ask.tag} at ${body.at} finds ${known.birth} under ${presented}, which had ended`);
    const isIdle = known.underWay <= 1 && startMs > known.lastUseUntilMs + idleMs * 1.5 + 500;
    const isOver = isIdle || startMs > known.givenAtMs + absoluteMs + 1;
    if (isOver && body.found === known.birth)
      this.#fail(14, `${ask.tag} at ${body.at} finds ${known.birth}, which must have expired`);
  }

  #mayHaveExpired({ lastUseFromMs, createdFromMs }: Known): boolean {
    const { settings, scheduler } = this.#world;
    return (
      scheduler.nowMs - lastUseFromMs >= settings.idleMs ||
      scheduler.nowMs - Math.floor(createdFromMs) >= settings.absoluteMs
    );
  }

  /** What the head said about the cookie, and what that says about the session. */
  #told(operation: Operation, body: Body, isWhole: boolean): void {
    const { user, ask, presented, startMs } = operation;
    const { nowMs } = this.#world.scheduler;
    const known = presented === null ? undefined : this.#ids.get(presented);
    const { cookie } = body;
    const hasEnded = enders.has(ask.kind) && body.found !== null && known?.birth === body.found;
    if (isWhole && known !== undefined && hasEnded) known.endedAtMs = Math.min(known.endedAtMs, nowMs);
    if (cookie.kind === 'give') {
      if (body.birth !== null && !this.#ids.has(cookie.id)) {
        const given: Known = {
          birth: body.birth,
          mayEndFromMs: Number.POSITIVE_INFINITY,
          enders: new Set(),
          endedAtMs: Number.POSITIVE_INFINITY,
          createdFromMs: startMs,
          givenAtMs: nowMs,
          lastUseFromMs: startMs,
          lastUseUntilMs: nowMs,
          underWay: 0,
          lost: false,
          unheard: new Set(),
        };
        this.#ids.set(cookie.id, given);
        // All that held it may have died while the answer was on its way.
        this.#checkLost(cookie.id, given, null);
      }
      this.#users.set(user, cookie.id);
    } else if (cookie.kind === 'take' && this.cookieOf(user) === presented) this.#users.set(user, null);
  }

  // ——— Deaths ———

  /** Where more may die than a session has copies: what nobody holds any more is lost, and only that. */
  died(victim: Worker | null): void {
    for (const [id, known] of this.#ids) {
      if (victim !== null) this.#checkHeard(id, known, victim);
      this.#checkLost(id, known, victim);
    }
  }

  /**
   * P14: news of a use gates nothing, so it may be on its way when its sender dies, and whoever is promoted goes by what
   * it has heard. That holds only for news that was sent in time: a use after the grace is told at once, so what was not
   * told at all is within the grace of what was, and the copies grant that.
   */
  #checkHeard(id: SessionId, known: Known, victim: Worker): void {
    const { settings, living, newestView: view, rank, watch } = this.#world;
    const used = victim.engine.record(id)?.touchedAt;
    const told = watch.toldUse(victim.address, id);
    if (view === null || used === undefined || used - told > touchGraceMs(settings)) return;
    const { writeSet } = assign(rank, view, id);
    const holders = living.filter(({ node }) => writeSet.includes(node));
    const held = holders.flatMap(({ engine, keeper }) => engine.record(id) ?? keeper.machine.held(id) ?? []);
    const heard = Math.min(...held.map(({ touchedAt }) => touchedAt));
    if (heard >= told) return;
    known.unheard.add(victim.address);
    known.lastUseFromMs = Math.min(known.lastUseFromMs, heard - epochMs);
  }

  #checkLost(id: SessionId, known: Known, victim: Worker | null): void {
    const { settings, living, watch } = this.#world;
    if (!settings.mayLose || known.lost || known.endedAtMs < Number.POSITIVE_INFINITY) return;
    const versionAt = ({ engine, keeper }: Worker): number =>
      Math.max(engine.record(id)?.mark.version ?? -1, keeper.machine.held(id)?.mark.version ?? -1);
    const needed = Math.max(watch.shown.get(id) ?? 0, victim === null ? 0 : versionAt(victim));
    const holds = (worker: Worker): boolean => versionAt(worker) >= needed;
    if (living.some((worker) => holds(worker) && !this.#isReleased(worker, id, holds))) return;
    known.lost = true;
    this.#lineOf(known.birth).lost = true;
    this.lostSessions += 1;
  }

  /**
   * Whether what the worker still holds does not count: the newest view takes it away, and the primary has entered that
   * view with the session. A worker that has not come that far drops it when it does, whatever has become of the primary.
   */
  #isReleased(worker: Worker, id: SessionId, holds: (worker: Worker) => boolean): boolean {
    const { newestView: view, rank, workers } = this.#world;
    if (view === null) return false;
    const { primary, writeSet } = assign(rank, view, id);
    const member = primary === null ? undefined : view.members[primary];
    const owner = member === undefined ? undefined : workers.get(formatAddress(member));
    if (owner === undefined || writeSet.includes(worker.node)) return false;
    const entered = owner.engine.view;
    return entered !== null && compareViews(entered, view) >= 0 && holds(owner);
  }

  /** 21: never the last member, never the only custodian of a session. `isMember`: of the ring, when it is to go. */
  endedByDecision(victim: Worker, isMember: boolean, how: 'is killed' | 'is told to end'): void {
    const others = this.#world.living.filter((worker) => worker !== victim);
    if (isMember && others.length === 0) this.#fail(21, `${victim.address}, the last member, ${how} by decision`);
    for (const [id, known] of this.#ids) {
      const mayHaveEnded = known.mayEndFromMs < Number.POSITIVE_INFINITY || this.#mayHaveExpired(known);
      if (known.lost || mayHaveEnded) continue;
      const holds = (worker: Worker) => worker.engine.record(id) ?? worker.keeper.machine.held(id);
      if (holds(victim) !== null && !others.some((worker) => holds(worker) !== null))
        this.#fail(21, `${victim.address}, the only one that holds ${id}, ${how} by decision`);
    }
  }

  /** The ids whose session must be there. */
  *expected(): IterableIterator<SessionId> {
    for (const [id, known] of this.#ids) {
      if (!known.lost && known.mayEndFromMs === Number.POSITIVE_INFINITY) yield id;
    }
  }

  #fail(invariant: number, what: string): void {
    this.#world.fail(`invariant ${invariant}: ${what}`);
  }
}
