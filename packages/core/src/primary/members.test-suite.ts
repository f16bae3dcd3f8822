import type { Bounds } from '../bounds.ts';
import { CopyMachine } from '../copy.ts';
import { type NodeId, nodeIdAt, type RequestId, type SessionId } from '../ids.ts';
import type { Lifetimes } from '../lifetimes.ts';
import type { Commit, FromCopySide, FromOwnKeeper, ToCopySide, ToOwnKeeper } from '../messages.ts';
import { type PrimaryEffect, type PrimaryEvent, PrimaryMachine } from '../primary.ts';
import { createRank } from '../rank.ts';
import { formatSessionId } from '../session-id.ts';
import { sipKey } from '../siphash.ts';
import type { View } from '../view.ts';

/** Members with both their sides, joined without delay: what is sent is taken at once, in order, unless a link is cut. */

export const [n1, n2, n3] = [nodeIdAt(1), nodeIdAt(2), nodeIdAt(3)];
const key = sipKey(new Uint8Array(16).fill(3));
export const rank = createRank(key);

export const viewOf = (number: number, ring: readonly NodeId[], copies = 2): View => ({
  term: 1,
  number,
  ring,
  next: null,
  leaving: [],
  members: Object.fromEntries(ring.map((id) => [id, { id, incarnation: 1, weight: 1 }])),
  copies,
  keyId: 1,
  hashVersion: 1,
});

/** The `at`-th id whose first ranks in the ring of `view` are `best`. */
export function idRanked(view: View, best: readonly NodeId[], at = 0): SessionId {
  let left = at;
  for (let draw = 0; ; draw += 1) {
    const placement = new Uint8Array([draw >> 16, draw >> 8, draw, 0, 0]);
    const id = formatSessionId({ arm: 0, placement, random: new Uint8Array(16) }, key);
    const ranked = rank(id, view.ring, view.members);
    if (best.every((node, place) => ranked[place] === node) && left-- === 0) return id;
  }
}

let requests = 0;
export function nextRequest(): RequestId {
  requests += 1;
  return requests.toString(16).padStart(32, '0') as RequestId;
}

export const commitOf = (request: RequestId, at: number, given: Partial<Commit> = {}): Commit => ({
  request,
  ordinal: 1,
  change: { set: new Map([['n', new Uint8Array([1])]]), remove: [] },
  destroy: false,
  carries: [],
  answer: null,
  kept: [],
  create: null,
  bury: null,
  at,
  ...given,
});

interface Member {
  readonly primary: PrimaryMachine;
  readonly copy: CopyMachine;
}

export class Members {
  nowMs = 0;
  readonly members = new Map<NodeId, Member>();
  /** What the members said to their users, newest last. */
  readonly answers: (PrimaryEffect & { readonly token: number })[] = [];
  /** Everything that went from a member's app loop to another's copy side. */
  readonly sent: { readonly from: NodeId; readonly to: NodeId; readonly message: ToCopySide }[] = [];
  /** Messages to these members are lost. */
  readonly cut = new Set<NodeId>();
  #token = 0;
  readonly #due: { readonly atMs: number; readonly member: NodeId }[] = [];

  constructor(ids: readonly NodeId[], lifetimes: Lifetimes & { readonly bounds?: Bounds }) {
    for (const self of ids) {
      const primary = new PrimaryMachine({ self, incarnation: 1, rank, ...lifetimes });
      this.members.set(self, { primary, copy: new CopyMachine({ self, rank, ...lifetimes }) });
    }
  }

  enter(view: View): void {
    for (const id of view.ring) {
      this.copyStep(id, { kind: 'view', view });
      this.step(id, { kind: 'view', view });
    }
    for (const from of view.ring) {
      for (const member of view.ring) {
        if (member !== from) this.step(from, { kind: 'link', member, incarnation: 1, up: true });
      }
    }
  }

  /** A session with one commit, answered. */
  make(id: SessionId, at: NodeId, given: Partial<Commit> = {}): RequestId {
    const request = nextRequest();
    this.ask(at, (token) => ({ kind: 'create', id, request, token }));
    const create = { createdAt: this.nowMs, expiresAt: this.nowMs + 1e9 };
    this.commit(id, at, request, { create, ...given });
    this.step(at, { kind: 'close', id, request });
    return request;
  }

  commit(id: SessionId, at: NodeId, request: RequestId, given: Partial<Commit> = {}): number {
    const commit = commitOf(request, this.nowMs, given);
    return this.ask(at, (token) => ({ kind: 'commit', id, commit, token }));
  }

  /** Opens, and closes again; gives the record, null when there is none, undefined when there is no answer yet. */
  look(id: SessionId, at: NodeId) {
    const request = nextRequest();
    const token = this.ask(at, (token) => ({ kind: 'open', id, request, token }));
    this.step(at, { kind: 'close', id, request });
    const answer = this.answers.find((given) => given.token === token);
    return answer?.kind === 'opened' ? answer.record : undefined;
  }

  settled(token: number): string | null {
    const answer = this.answers.find((given) => given.token === token && given.kind === 'settled');
    return answer?.kind === 'settled' ? answer.settled.kind : null;
  }

  ask(at: NodeId, event: (token: number) => PrimaryEvent): number {
    this.#token += 1;
    this.step(at, event(this.#token));
    return this.#token;
  }

  /** Lets `ms` pass: what was asked to be called later is, and everybody ticks every 50 ms. */
  wait(ms: number): void {
    for (const until = this.nowMs + ms; this.nowMs < until; ) {
      const tickAt = Math.min(until, this.nowMs + 50);
      for (let next = this.#nextDue(tickAt); next !== null; next = this.#nextDue(tickAt)) {
        this.nowMs = Math.max(this.nowMs, next.atMs);
        this.step(next.member, { kind: 'sweep', budget: 1_000 });
      }
      this.nowMs = tickAt;
      for (const id of this.members.keys()) {
        this.step(id, { kind: 'tick' });
        this.copyStep(id, { kind: 'tick' });
      }
    }
  }

  /** No word of it any more. */
  kill(id: NodeId): void {
    this.members.delete(id);
  }

  step(at: NodeId, event: PrimaryEvent): void {
    for (const effect of this.members.get(at)?.primary.step(event, this.nowMs) ?? []) {
      if (effect.kind === 'send') this.#deliver(at, effect.to, effect.message);
      else if (effect.kind === 'own') this.copyStep(at, { kind: 'own', message: structuredClone(effect.message) });
      else if (effect.kind === 'more') this.#sweepAfter(at, effect.afterMs);
      else if (effect.kind !== 'done') this.answers.push(effect);
    }
  }

  copyStep(at: NodeId, event: Parameters<CopyMachine['step']>[0]): void {
    for (const effect of this.members.get(at)?.copy.step(event, this.nowMs) ?? []) {
      if (effect.kind === 'send') this.#answer(at, effect.to, effect.message);
      else if (effect.kind === 'own') this.step(at, { kind: 'own', message: structuredClone(effect.message) });
      else if (effect.kind === 'more') this.copyStep(at, { kind: 'sweep', budget: 1_000 });
    }
  }

  #sweepAfter(member: NodeId, ms: number): void {
    if (ms === 0) this.step(member, { kind: 'sweep', budget: 1_000 });
    else this.#due.push({ atMs: this.nowMs + ms, member });
  }

  #nextDue(untilMs: number): { readonly atMs: number; readonly member: NodeId } | null {
    this.#due.sort((a, b) => a.atMs - b.atMs);
    return (this.#due[0]?.atMs ?? Number.POSITIVE_INFINITY) <= untilMs ? (this.#due.shift() ?? null) : null;
  }

  #deliver(from: NodeId, to: NodeId, message: ToCopySide | ToOwnKeeper): void {
    const copied = structuredClone(message) as ToCopySide;
    this.sent.push({ from, to, message: copied });
    if (!this.cut.has(to)) this.copyStep(to, { kind: 'message', from, message: copied });
  }

  #answer(from: NodeId, to: NodeId, message: FromCopySide | FromOwnKeeper): void {
    if (!this.cut.has(from))
      this.step(to, { kind: 'message', from, message: structuredClone(message) as FromCopySide });
  }
}
