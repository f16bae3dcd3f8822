import type { NodeId, RequestId, SessionId } from '../ids.ts';
import type { Mark } from '../messages.ts';
import { sameMark } from '../record.ts';
import { compareViews } from '../view.ts';
import { advance, endHandover } from './advance.ts';
import { adopt, claim } from './claim.ts';
import { commitHere } from './commit.ts';
import { forwarded } from './former.ts';
import { settle, wait } from './gate.ts';
import type { Entry, PrimaryState, Relayed } from './state.ts';

/** P10, the new primary's half: changes and held responses of requests that began at the former one. */
export function receiveRelayed(state: PrimaryState, { from, message, isEarly = false }: Relayed): void {
  if (message.kind === 'forwarded') {
    forwarded(state, message);
    return;
  }
  if (message.kind === 'finished') {
    finishedThere(state, from, message.id, message.request);
    return;
  }
  const { id } = message;
  const view = state.views.current;
  if (view === null || compareViews(message.view, view) > 0) {
    state.hold({ from: null, message: { kind: 'relayed', from, message } });
    return;
  }
  // Not primary here: the sender will learn of the newer view and turn to whoever is.
  const known = advance(state, id);
  if (known === undefined && !state.isPrimary(id)) return;
  // Of this view: then nobody but its sender can have committed since it was made, and nobody is served before it.
  const waiting: Relayed = { from, message, isEarly: compareViews(message.view, view) === 0 };
  const bury = message.kind === 'forward' ? message.commit.bury : null;
  const old = bury === null ? undefined : advance(state, bury);
  if (bury !== null && old === undefined) {
    claim(state, bury).relayed.push(waiting);
    return;
  }
  const isNew = known === undefined && message.kind === 'forward' && message.commit.create !== null;
  const entry = isNew ? adopt(state, id, message.commit.request, from) : known;
  if (entry === undefined) {
    claim(state, id).relayed.push(waiting);
    return;
  }
  const reply = { reply: from, sequence: message.sequence };
  if (message.kind === 'confirm') {
    wait(state, entry, entry.record.mark.version, reply);
    return;
  }
  const { commit, base, buriedBase } = message;
  const isLogged = (entry.record.log.get(commit.request)?.commits ?? 0) >= commit.ordinal;
  const isOpen = (held: Entry) => isEarly || held.handover !== null;
  const mayTake = isOpen(entry) && goesOnFrom(entry, from, base);
  const mayBury = old === undefined || (isOpen(old) && buriedBase !== null && goesOnFrom(old, from, buriedBase));
  if (!isLogged && !(mayTake && mayBury)) {
    // Too late: this session has gone on without it.
    settle(state, reply, { kind: 'refused' });
    return;
  }
  const before = entry.record.mark;
  commitHere(state, entry, commit, old, reply);
  if (!sameMark(before, entry.record.mark)) entry.taken = { base, by: from, mark: entry.record.mark };
}

/**
 * Whether a change made on `base` goes on from what is here: from this very version, or from the one that was taken
 * over, when all that was made of it since came from the same sender, whose requests see each other's changes. Any other
 * commit in between would be overwritten by whole attributes that lack it.
 */
function goesOnFrom({ record, taken }: Entry, from: NodeId, base: Mark): boolean {
  if (sameMark(base, record.mark)) return true;
  return taken.by === from && sameMark(base, taken.base) && sameMark(taken.mark, record.mark);
}

function finishedThere(state: PrimaryState, from: NodeId, id: SessionId, request: RequestId): void {
  const entry = state.entries.get(id);
  if (entry?.handover?.running.get(request) !== from) return;
  entry.handover.running.delete(request);
  if (entry.handover.running.size === 0) endHandover(state, entry);
}
