import type { NodeId, RequestId, SessionId } from '../ids.ts';
import type { BetweenApps } from '../messages.ts';
import { compareViews } from '../view.ts';
import { advance, endHandover } from './advance.ts';
import { adopt, claim } from './claim.ts';
import { commitHere } from './commit.ts';
import { forwarded } from './former.ts';
import { settle, wait } from './gate.ts';
import type { PrimaryState } from './state.ts';

/** P10, the new primary's half: changes and held responses of requests that began at the former one. */
export function receiveRelayed(state: PrimaryState, from: NodeId, message: BetweenApps): void {
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
  const isNew = known === undefined && message.kind === 'forward' && message.commit.create !== null;
  const entry = isNew ? adopt(state, id, message.commit.request, from) : known;
  if (entry === undefined) {
    claim(state, id).relayed.push({ from, message });
    return;
  }
  const reply = { reply: from, sequence: message.sequence };
  if (message.kind === 'confirm') {
    wait(state, entry, entry.record.mark.version, reply);
    return;
  }
  const { commit } = message;
  const isLogged = (entry.record.log.get(commit.request)?.commits ?? 0) >= commit.ordinal;
  if (isLogged || entry.handover?.running.has(commit.request) === true) {
    commitHere(state, entry, commit, commit.bury === null ? undefined : advance(state, commit.bury), reply);
  } else {
    // Too late: this session has gone on without it.
    settle(state, reply, { kind: 'refused' });
  }
}

function finishedThere(state: PrimaryState, from: NodeId, id: SessionId, request: RequestId): void {
  const entry = state.entries.get(id);
  if (entry?.handover?.running.get(request) !== from) return;
  entry.handover.running.delete(request);
  if (entry.handover.running.size === 0) endHandover(state, entry);
}
