import type { NodeId, RequestId, SessionId } from '../ids.ts';
import type { FromCopySide } from '../messages.ts';
import { emptyRecord, noMark, sameMark, touch, type WorkingRecord, workingRecord } from '../record.ts';
import { isNewer, type SavedSession } from '../saved.ts';
import { compareViews, numberOf, type View } from '../view.ts';
import { advance, opened } from './advance.ts';
import { judge } from './custody.ts';
import type { Token } from './events.ts';
import { confirm, release, settle } from './gate.ts';
import { type Entry, type Opening, type PrimaryState, unsynced } from './state.ts';
import { supply } from './supply.ts';
import { isOver } from './touch.ts';

/** How long a new primary holds a session's requests for those still running at the former one, in milliseconds (P10). */
export const handoverWaitMs = 2_000;

type Claimed = FromCopySide & { readonly kind: 'claimed' };

/** A request wants a session: held here, claimed from the others, unknown, or not ours. */
export function open(state: PrimaryState, id: SessionId, token: Token): void {
  const entry = advance(state, id);
  if (entry !== undefined) {
    if (entry.handover !== null) entry.blocked.push(token);
    else opened(state, entry, token);
  } else if (!state.isPrimary(id)) {
    state.effects.push({ kind: 'moved', token });
  } else if (state.unknown.has(id)) {
    state.effects.push({ kind: 'opened', token, record: null });
  } else {
    claim(state, id).tokens.push(token);
  }
}

/** A new session: nobody else can know of it, so nobody is asked. */
export function create(state: PrimaryState, id: SessionId, token: Token): void {
  if (state.isPrimary(id)) opened(state, install(state, emptyRecord(id), state.view, unasked), token);
  else state.effects.push({ kind: 'moved', token });
}

const everyone = (view: View): readonly NodeId[] => Object.values(view.members).map((member) => member.id);

/**
 * P6: asks every member's copy side. The own one first: after a death it mostly has it all (`heir`), and its users need
 * not wait for the others, nor every node answer for every session of the dead.
 */
export function claim(state: PrimaryState, id: SessionId): Opening {
  const known = state.openings.get(id);
  if (known !== undefined) return known;
  const { view } = state;
  const expected = new Set(everyone(view));
  const opening: Opening = { view, expected, answers: new Map(), tokens: [], relayed: [] };
  state.openings.set(id, opening);
  ask(state, opening, id, state.self);
  return opening;
}

const ask = (state: PrimaryState, opening: Opening, id: SessionId, member: NodeId): void =>
  state.sendTo(member, { kind: 'claim', id, view: numberOf(opening.view) });

/** The link to a member is new: what it was asked before may be lost. */
export function askAgain(state: PrimaryState, member: NodeId): void {
  for (const [id, opening] of state.openings) {
    if (!opening.answers.has(state.self)) continue; // Asked only after the own copy side.
    if (opening.expected.has(member) && !opening.answers.has(member)) ask(state, opening, id, member);
  }
}

/** A new view: claims under way start over in it, or end when the session is no longer ours. */
export function restartClaims(state: PrimaryState): void {
  const openings = [...state.openings];
  state.openings.clear();
  // Offers are of the view they were made in: the holders make them again in this one.
  state.offers.clear();
  state.quietClaims.clear();
  for (const [id, { tokens, relayed }] of openings) {
    if (tokens.length === 0 && relayed.length === 0) continue;
    if (state.isPrimary(id)) {
      const again = claim(state, id);
      again.tokens.push(...tokens);
      again.relayed.push(...relayed);
    } else {
      for (const token of tokens) state.effects.push({ kind: 'moved', token });
    }
  }
}

/** One answer; when all are there, the newest custody, then the highest version, is the session. */
export function claimed(state: PrimaryState, from: NodeId, answer: Claimed): void {
  const { id } = answer;
  const opening = state.openings.get(id);
  if (opening?.expected.has(from) !== true || compareViews(opening.view, answer.view) !== 0) return;
  const isFirst = from === state.self && !opening.answers.has(from);
  opening.answers.set(from, answer);
  if (opening.answers.size < opening.expected.size && !answer.heir) {
    if (isFirst) for (const member of opening.expected) if (member !== from) ask(state, opening, id, member);
    return;
  }
  state.openings.delete(id);
  state.quietClaims.delete(id);
  const best = newest(opening.answers.values());
  if (best === null || isOver(state, best)) {
    // Over, so nobody need keep it for safety's sake: unconfirmed copies would hold up a join until they are forgotten.
    for (const [member, { record }] of opening.answers) if (record !== null) confirm(state, id, member);
    if (state.unknown.size < state.bounds.unknownIdsMax) state.unknown.add(id);
    for (const token of opening.tokens) state.effects.push({ kind: 'opened', token, record: null });
    for (const { from: reply, message } of opening.relayed) {
      if ('sequence' in message) settle(state, { reply, sequence: message.sequence }, { kind: 'refused' });
    }
    return;
  }
  take(state, opening, workingRecord(best));
}

function newest(answers: Iterable<Claimed>): Claimed['record'] {
  let best: SavedSession | null = null;
  for (const { record, custody } of answers) {
    if (record === null) continue;
    const held: SavedSession = { record, custody: custody ?? noMark.view };
    if (best === null || isNewer(held, best)) best = held;
  }
  return best?.record ?? null;
}

function take(state: PrimaryState, opening: Opening, record: WorkingRecord): void {
  const holders = new Set<NodeId>();
  const alike = new Set<NodeId>();
  const running = new Map<RequestId, NodeId>();
  for (const [member, answer] of opening.answers) {
    for (const request of answer.running) running.set(request, member);
    if (answer.record === null) continue;
    holders.add(member);
    // Uses are told without a version (P14): of equal copies the former primary's knows of the last one.
    touch(record, answer.record.touchedAt);
    if (sameMark(answer.record.mark, record.mark)) alike.add(member);
  }
  const isComplete = everyone(opening.view).every((member) => opening.answers.has(member));
  const entry = install(state, record, opening.view, { holders, alike: isComplete ? alike : null });
  if (running.size > 0) waitFor(state, entry, running);
  state.loopback.push(...opening.relayed);
  for (const token of opening.tokens) {
    if (entry.handover !== null) entry.blocked.push(token);
    else opened(state, entry, token);
  }
}

/** A session that a request began to make at the former primary: nobody else can know of it, so nobody is asked (P10). */
export function adopt(state: PrimaryState, id: SessionId, request: RequestId, from: NodeId): Entry {
  const entry = install(state, emptyRecord(id), state.view, unasked);
  waitFor(state, entry, new Map([[request, from]]));
  return entry;
}

/** Holds this session's requests for those still running at the former primary. */
function waitFor(state: PrimaryState, entry: Entry, running: Map<RequestId, NodeId>): void {
  entry.handover = { running, untilMs: state.nowMs + handoverWaitMs };
  state.handovers.add(entry.record.id);
}

/** What a claim has shown of the other members: who holds the session, and who this very version, if all were asked. */
type Shown = { readonly holders: ReadonlySet<NodeId>; readonly alike: ReadonlySet<NodeId> | null };

const unasked: Shown = { holders: new Set(), alike: null };

/** Primary from now on. */
function install(state: PrimaryState, record: WorkingRecord, view: View, { holders, alike }: Shown): Entry {
  const { id } = record;
  const others = state.othersOf(view, id);
  const entry: Entry = {
    record,
    seen: view,
    others,
    acked: new Map(others.map((member) => [member, unsynced])),
    waiters: [],
    handover: null,
    taken: { base: record.mark, by: null, mark: record.mark },
    blocked: [],
    buries: null,
    heir: null,
    holders: new Set(holders),
    alike,
    counted: null,
    // Whoever has not shown that it holds this very record gets it, with its last use in it or beside it.
    toldAt: record.touchedAt,
    graceMs: record.mark.version === 0 ? 0 : state.touchGraceMs,
  };
  state.entries.set(id, entry);
  state.unknown.delete(id);
  if (record.deleted) state.tombstones.add(id);
  if (record.mark.version === 0) return entry;
  judge(state, entry);
  state.hasMoved = true;
  supply(state, entry);
  release(state, entry);
  return entry;
}

/** A holder shows what it has: the primary takes it, or shows that it holds it already. */
export function offered(state: PrimaryState, from: NodeId, id: SessionId): void {
  const entry = advance(state, id);
  if (entry !== undefined) {
    if (state.unsynced.has(id)) entry.holders.add(from);
    else confirm(state, id, from);
  } else if (state.isPrimary(id)) {
    state.unknown.delete(id);
    if (state.offers.size < state.bounds.offersMax) state.offers.add(id);
  }
}

/** Takes up what was offered, a few at a time and at a pace that leaves requests alone (P12). */
export function claimOffered(state: PrimaryState): void {
  // Many at once: each alone would wake the keeper, and its answer this loop, for itself.
  if (state.quietClaims.size > state.bounds.quietClaimsMax / 2) return;
  while (state.offers.size > 0 && state.quietClaims.size < state.bounds.quietClaimsMax) {
    const afterMs = state.quietPace.waitMs(state.nowMs, state.paceShare);
    if (afterMs > 0) {
      state.wakeAfter(afterMs);
      return;
    }
    const id = state.offers.take();
    if (id === undefined) return;
    if (state.entries.has(id) || state.openings.has(id) || !state.isPrimary(id)) continue;
    state.quietPace.take(1);
    state.quietClaims.add(id);
    claim(state, id);
  }
}
