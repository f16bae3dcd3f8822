import type { NodeId, SessionId } from '../ids.ts';
import type { Commit, Encoded, KeptAnswer, ToCopySide } from '../messages.ts';
import { snapshot, type WorkingRecord } from '../record.ts';
import { numberOf } from '../view.ts';
import type { Lane, Urgency } from './lane.ts';
import { type Entry, type PrimaryState, unsynced } from './state.ts';

/** P5 and P12: brings every member of a write set to the history of its sessions, at a pace that leaves requests alone. */

/** A session used within this time counts as recently used, in milliseconds. */
const recentMs = 60_000;
/** Larger records are named first and sent when the member lacks them; a smaller one costs less than to ask. */
const digestBytesMin = 4 * 1024;
/** What a message takes beyond the data in it, and a log entry beyond its answer: about right is enough for a window. */
const messageBytes = 200;
const logEntryBytes = 120;

/** Sends a write that has just been made to whoever has the history before it, the record to the others when they can take it. */
export function sendWrite(state: PrimaryState, entry: Entry, message: ToCopySide & { readonly kind: 'write' }): void {
  const { record } = entry;
  const bytes = weighCommit(message.commit);
  for (const member of entry.others) {
    const lane = state.links.get(member)?.lane;
    if (lane === undefined) continue;
    const isFirst = message.previous.version === 0;
    const follows = isFirst || lane.isUnderWay(record.id) || (entry.acked.get(member) ?? unsynced) !== unsynced;
    if (follows && !lane.isQueued(record.id) && lane.hasRoom) {
      state.sendTo(member, message);
      lane.sent(record.id, message.mark.version, bytes, false);
    } else {
      lane.want(record.id, 'held');
      pump(state, member, lane);
    }
  }
}

/** Queues the session for every member that lacks something and has nothing under way. */
export function supply(state: PrimaryState, entry: Entry): void {
  const { id, mark } = entry.record;
  if (mark.version === 0) return;
  for (const member of entry.others) {
    if ((entry.acked.get(member) ?? unsynced) >= mark.version) continue;
    const lane = state.links.get(member)?.lane;
    if (lane === undefined || lane.isUnderWay(id)) continue;
    lane.want(id, urgencyOf(state, entry));
    pump(state, member, lane);
  }
}

function urgencyOf(state: PrimaryState, { waiters, others, acked, record }: Entry): Urgency {
  if (waiters.length > 0) return 'held';
  const isOnlyCopy = others.every((member) => (acked.get(member) ?? unsynced) === unsynced);
  return isOnlyCopy && state.nowMs - record.touchedAt < recentMs ? 'recent' : 'rest';
}

/** A response is held for it now: it does not wait for its turn in the bulk. */
export function hurry(state: PrimaryState, { others, record: { id } }: Entry): void {
  for (const member of others) {
    const lane = state.links.get(member)?.lane;
    if (lane?.isQueued(id) !== true) continue;
    lane.want(id, 'held');
    pump(state, member, lane);
  }
}

/** The member could not apply what it was sent, or does not hold what a digest named. */
export function sendMissed(state: PrimaryState, entry: Entry, member: NodeId): void {
  const lane = state.links.get(member)?.lane;
  if (lane === undefined || !entry.acked.has(member)) return;
  lane.missed(entry.record.id);
  supply(state, entry);
}

/** Sends what has its turn and fits into the windows. */
export function pump(state: PrimaryState, member: NodeId, lane: Lane): void {
  for (;;) {
    const turn = lane.turn(state.nowMs, state.paceShare);
    if (turn.kind === 'later') state.wakeAfter(turn.afterMs);
    if (turn.kind !== 'id') return;
    const entry = state.entries.get(turn.id);
    // Meanwhile gone, or acknowledged. Queues are emptied with every view: what is in them belongs to the present one.
    if (entry === undefined || (entry.acked.get(member) ?? Number.POSITIVE_INFINITY) >= entry.record.mark.version)
      continue;
    sendWhole(state, entry, member, lane, turn.isBulk);
  }
}

export function pumpAll(state: PrimaryState): void {
  for (const [member, { lane }] of state.links) pump(state, member, lane);
}

/** By its name alone when the member has shown that it holds the same or may well do, else whole. */
function sendWhole(state: PrimaryState, entry: Entry, member: NodeId, lane: Lane, isBulk: boolean): void {
  const { record, alike } = entry;
  const { id, mark } = record;
  const view = numberOf(state.view);
  const bytes = weighRecord(record);
  const mayHold = alike === null ? isBulk && bytes >= digestBytesMin : alike.has(member);
  if (mayHold && !lane.lacks(id)) {
    state.sendTo(member, { kind: 'digest', id, view, mark, touchedAt: record.touchedAt });
    lane.sent(id, mark.version, messageBytes, isBulk);
    return;
  }
  const [made, ...buried] = madeWith(state, entry, member, lane);
  const tombstones = buried.map((old) => snapshot(old.record));
  state.sendTo(member, { kind: 'record', view, record: snapshot(made.record), buried: tombstones });
  for (const sent of [made, ...buried]) {
    lane.sent(sent.record.id, sent.record.mark.version, weighRecord(sent.record), isBulk);
  }
}

/**
 * The session that goes on and the tombstones of those it was before, as far as the member lacks them. What one write has
 * made goes in one message: a death between two would leave both ids alive, or neither (P15).
 */
function madeWith(
  state: PrimaryState,
  entry: Entry,
  member: NodeId,
  lane: Lane,
): readonly [made: Entry, ...buried: Entry[]] {
  let made = entry;
  const buried: Entry[] = [];
  for (let next = lacking(state, entry.heir, member, lane); next !== null; ) {
    buried.unshift(made);
    made = next;
    next = lacking(state, made.heir, member, lane);
  }
  for (let old = lacking(state, entry.buries, member, lane); old !== null; ) {
    buried.push(old);
    old = lacking(state, old.buries, member, lane);
  }
  return [made, ...buried];
}

/** The session, if the member has not got it and it is not on its way there. */
function lacking(state: PrimaryState, id: SessionId | null, member: NodeId, lane: Lane): Entry | null {
  const entry = id === null ? undefined : state.entries.get(id);
  if (entry === undefined) return null;
  const { record, acked, seen } = entry;
  if (lane.hasSent(record.id, record.mark.version)) return null;
  const isHeld = seen === state.view && (acked.get(member) ?? unsynced) >= record.mark.version;
  return isHeld ? null : entry;
}

function weighRecord({ attributes, log, answerBytes, kept }: WorkingRecord): number {
  return messageBytes + weigh(attributes) + answerBytes + logEntryBytes * log.size + weighKept(kept.values());
}

const weighCommit = ({ change, answer, kept }: Commit): number =>
  messageBytes + weigh(change.set) + (answer?.byteLength ?? 0) + weighKept(kept);

function weighKept(kept: Iterable<KeptAnswer>): number {
  let bytes = 0;
  for (const { answer } of kept) bytes += logEntryBytes + (answer?.byteLength ?? 0);
  return bytes;
}

function weigh(values: ReadonlyMap<string, Encoded>): number {
  let bytes = 0;
  for (const [name, value] of values) bytes += name.length + value.byteLength;
  return bytes;
}
