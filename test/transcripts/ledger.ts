import {
  assign,
  type Encoded,
  formatAddress,
  type NodeId,
  type Rank,
  type SavedSession,
  type SessionId,
  type View,
} from '@limpet/core';
import { decode } from '@limpet/session';
import type { Outcome } from './balancer.ts';
import type { Names } from './names.ts';
import type { Ask } from './stage.ts';

/** A process that may hold sessions, on either side. */
export interface Custodian {
  readonly node: NodeId;
  readonly isAlive: boolean;
  readonly engine: { allToSave(): Iterable<Pick<SavedSession, 'record'>> };
  readonly copies: { allToSave(): Iterable<Pick<SavedSession, 'record'>> };
}

interface Request {
  readonly ask: Ask;
  /** What had been acknowledged of each attribute when it began: it must not show less. */
  readonly floor: ReadonlyMap<string, number>;
  /** Some client knew by then that the session has ended. */
  readonly isLate: boolean;
  outcome: Outcome | null;
}

interface Holder {
  readonly node: NodeId;
  readonly text: string;
  readonly deleted: boolean;
  readonly version: number;
  readonly attributes: ReadonlyMap<string, Encoded>;
}

/**
 * What clients have been told, and whether the cluster keeps it: the invariants of PROTOCOL that a story can break. Knows
 * nothing of how the cluster works. Every check throws.
 */
export class Ledger {
  readonly #requests = new Map<string, Request>();
  readonly #base = new Map<SessionId, Map<string, number>>();
  /** The highest version of each session that an answer has shown. */
  readonly #shown = new Map<SessionId, number>();
  /** Sessions of which an answer has said that they have ended: the logout's own, 409, or no session found. */
  readonly #ended = new Set<SessionId>();
  readonly #rank: Rank;
  readonly #names: Names;
  readonly #workers: ReadonlyMap<string, Custodian>;

  constructor(rank: Rank, names: Names, workers: ReadonlyMap<string, Custodian>) {
    this.#rank = rank;
    this.#names = names;
    this.#workers = workers;
  }

  born(id: SessionId, attributes: ReadonlyMap<string, number>): void {
    this.#base.set(id, new Map(attributes));
  }

  begun(ask: Ask): void {
    const floor = new Map<string, number>();
    for (const { kind, attribute } of ask.deeds.flatMap((deed) => ('attribute' in deed ? [deed] : []))) {
      if (ask.session !== null && kind !== 'put') floor.set(attribute, this.#bounds(ask.session, attribute).least);
    }
    const isLate = ask.session !== null && this.#ended.has(ask.session);
    this.#requests.set(ask.name, { ask, floor, isLate, outcome: null });
  }

  /** Invariants 3 and 6: what an answer shows is not older than what was acknowledged before it began, nor of a session that has ended. */
  over(ask: Ask, outcome: Outcome): void {
    const request = this.#requests.get(ask.name);
    if (request === undefined || request.outcome !== null) throw new Error(`${ask.name} has ended twice`);
    request.outcome = outcome;
    const { session } = ask;
    if (session === null) return;
    for (const [attribute, least] of request.floor) {
      const shown = new RegExp(`\\b${attribute}=(\\d+)`).exec(outcome.text)?.[1];
      if (outcome.status !== 200) continue;
      if (shown === undefined) {
        if (!this.#mayHaveEnded(session)) throw new Error(`${ask.name} has not found its session`);
        this.#ended.add(session);
      } else if (request.isLate) throw new Error(`${ask.name} shows a session that had ended`);
      else if (Number(shown) < least || Number(shown) > this.#bounds(session, attribute).most) {
        throw new Error(`${ask.name} shows ${attribute}=${shown}, ${least} had been acknowledged`);
      }
    }
    const isLogout = outcome.status === 200 && ask.deeds.some(({ kind }) => kind === 'logout');
    if (isLogout || outcome.outcome === 'gone') this.#ended.add(session);
  }

  #mayHaveEnded(id: SessionId): boolean {
    const all = [...this.#requests.values()].filter(({ ask }) => ask.session === id);
    return all.some(
      ({ ask, outcome }) => outcome?.outcome !== 'not-executed' && ask.deeds.some(({ kind }) => kind === 'logout'),
    );
  }

  /** Invariants 5 and 18: what is shown is held by the whole write set of the worker's view. */
  released(view: View | null, ask: Ask, id: SessionId, version: number): void {
    if (view === null) throw new Error(`${ask.name} is answered without a view`);
    this.#shown.set(id, Math.max(version, this.#shown.get(id) ?? 0));
    const holders = this.#holders(id);
    for (const node of assign(this.#rank, view, id).writeSet) {
      const alive = this.#workers.get(formatAddress(view.members[node] ?? { id: node, incarnation: 0 }))?.isAlive;
      const held = holders.filter((holder) => holder.node === node).map((holder) => holder.version);
      // Who has died in the meantime had acknowledged it before.
      if (alive && Math.max(0, ...held) < version)
        throw new Error(`${ask.name} shows v${version}, ${node} does not hold it`);
    }
  }

  /** How far an attribute may have been counted: every acknowledged effect once, every unknown one at most once. */
  #bounds(id: SessionId, attribute: string): { readonly least: number; readonly most: number } {
    const base = this.#base.get(id)?.get(attribute) ?? 0;
    let [least, most] = [base, base];
    for (const { ask, outcome } of this.#requests.values()) {
      if (ask.session !== id) continue;
      const effects = ask.deeds.filter((deed) => deed.kind === 'add' && deed.attribute === attribute).length;
      if (outcome?.status === 200) least += effects;
      if (outcome?.outcome !== 'not-executed') most += effects;
    }
    return { least, most };
  }

  /** Invariants 1, 2, 9, 10 and 13, once nothing is under way. Gives what it has found. */
  check(name: string, view: View): string {
    const id = this.#names.session(name);
    if (view.next !== null || view.leaving.length > 0) throw new Error('the ring is still moving');
    for (const { ask, outcome } of this.#requests.values()) {
      if (ask.session === id && outcome === null) throw new Error(`${ask.name} has not ended`);
    }
    const holders = this.#holders(id);
    const { primary, writeSet } = assign(this.#rank, view, id);
    const nodes = holders.map(({ node }) => node).sort();
    if (String(nodes) !== String([...writeSet].sort())) {
      throw new Error(`${name} is held by ${nodes.join(' ')}, its places are ${writeSet.join(' ')}`);
    }
    const [first] = holders;
    if (first === undefined || primary === null) throw new Error(`nobody holds ${name}`);
    const others = writeSet.filter((node) => node !== primary);
    const where = `primary ${primary}${others.length === 0 ? '' : `, ${others.length === 1 ? 'copy' : 'copies'} ${others.join(' ')} equal byte by byte`}`;
    const odd = holders.find(({ text }) => text !== first.text);
    if (odd !== undefined) throw new Error(`${name}: ${first.node} holds ${first.text}, ${odd.node} ${odd.text}`);
    if (first.version < (this.#shown.get(id) ?? 0))
      throw new Error(`${name} is at v${first.version}, an answer has shown more`);
    if (first.deleted && !this.#mayHaveEnded(id)) throw new Error(`${name} has ended`);
    if (!first.deleted && this.#ended.has(id)) throw new Error(`${name} is back`);
    return `${name} v${first.version}: ${where}${first.deleted ? ' · ended, a tombstone' : this.#count(id, first)}`;
  }

  #count(id: SessionId, { attributes }: Holder): string {
    const names = new Set([...(this.#base.get(id)?.keys() ?? []), ...attributes.keys()]);
    return [...names]
      .map((attribute) => {
        const bytes = attributes.get(attribute);
        const value = bytes === undefined ? 0 : Number(decode(bytes));
        const { least, most } = this.#bounds(id, attribute);
        // NaN is no count either.
        if (!(value >= least && value <= most))
          throw new Error(`${attribute}=${value}, acknowledged ${least}, possible ${most}`);
        const unknown = most === least ? '' : `, ${most - least} unknown`;
        return ` · ${attribute}=${value} (${least} acknowledged${unknown})`;
      })
      .join('');
  }

  /** Every living process that holds the session, on either side. */
  #holders(id: SessionId): readonly Holder[] {
    const holders: Holder[] = [];
    for (const { node, isAlive, engine, copies } of this.#workers.values()) {
      if (!isAlive) continue;
      for (const { record } of [...engine.allToSave(), ...copies.allToSave()]) {
        if (record.id !== id) continue;
        const { mark, attributes, deleted, createdAt, expiresAt } = record;
        const bytes = [...attributes].sort().map(([name, value]) => `${name} ${Buffer.from(value).toString('hex')}`);
        const text = JSON.stringify({ mark, deleted, createdAt, expiresAt, bytes });
        holders.push({ node, text, deleted, version: mark.version, attributes });
      }
    }
    return holders;
  }
}
