import type { RequestId } from '../ids.ts';
import { findRival } from '../kept.ts';
import type { Commit, Mark } from '../messages.ts';
import { applyCommit, buryUnder } from '../record.ts';
import { numberOf } from '../view.ts';
import { judge } from './custody.ts';
import { settle, wait } from './gate.ts';
import type { Done, Entry, PrimaryState } from './state.ts';
import { sendWrite } from './supply.ts';
import { told } from './touch.ts';

/** The request named by writes that no request made: the end of an idle session. */
export const noRequest = '0'.repeat(32) as RequestId;

/**
 * P2: makes the next version of the record out of `commit`, in this very step, and sends it to the rest of the write
 * set. `old`: the entry that `commit.bury` names, brought to the current view.
 */
export function commitHere(
  state: PrimaryState,
  entry: Entry,
  commit: Commit,
  old: Entry | undefined,
  done: Done,
): void {
  const { record } = entry;
  const earlier = record.log.get(commit.request);
  if (earlier !== undefined && earlier.state === 'committed' && earlier.commits >= commit.ordinal) {
    // The same commit again (a forward sent twice), or another attempt of the request that was quicker.
    if ('token' in done) settle(state, done, { kind: 'duplicate', answer: earlier.answer });
    else
      wait(state, entry, record.mark.version, {
        ...done,
        mark: earlier.version === record.mark.version ? record.mark : null,
      });
    return;
  }
  if (record.deleted) {
    // The caller's own requests wait for the tombstone by themselves; the word to another member is an answer there (P4).
    if ('token' in done) settle(state, done, { kind: 'gone' });
    else wait(state, entry, record.mark.version, done, { kind: 'gone' });
    return;
  }
  const rival = findRival(record.kept, commit) ?? (old === undefined ? null : findRival(old.record.kept, commit));
  if (rival !== null) {
    settle(state, done, 'token' in done ? { kind: 'duplicate', answer: rival.answer } : { kind: 'refused' });
    return;
  }
  const made = old === undefined ? commit : inheriting(commit, old);
  const view = numberOf(state.view);
  const previous = record.mark;
  const mark: Mark = { version: previous.version + 1, view, by: state.address };
  const buried: Mark | null = old === undefined ? null : { ...mark, version: old.record.mark.version + 1 };
  const keptFrom = logKeptFrom(state, entry, commit.at);
  applyCommit(record, mark, made, keptFrom, state.bounds);
  told(state, entry, commit.at);
  if (old !== undefined && buried !== null) {
    buryUnder(old.record, buried, made, keptFrom, state.bounds);
    state.touched.delete(old.record.id);
    state.tombstones.add(old.record.id);
    judge(state, old);
    entry.buries = commit.bury;
    old.heir = record.id;
  }
  if (commit.destroy) state.tombstones.add(record.id);
  sendWrite(state, entry, { kind: 'write', id: record.id, view, previous, mark, buried, commit: made, keptFrom });
  if (previous.version === 0 || record.deleted) judge(state, entry);
  wait(state, entry, mark.version, 'token' in done ? done : { ...done, mark });
}

/** What was answered under the old id is answered under the new one too (P15). In the commit, for copies that lack the old one. */
const inheriting = (commit: Commit, { record }: Entry): Commit =>
  record.kept.size === 0 ? commit : { ...commit, kept: [...record.kept.values(), ...commit.kept] };

/** A request still running may be retried whenever its worker dies: its entry, however old, and all after it stay (P2). */
function logKeptFrom(state: PrimaryState, { record }: Entry, at: number): number {
  let from = at - state.logKeptMs;
  for (const request of state.running.get(record.id) ?? []) from = Math.min(from, record.log.get(request)?.at ?? from);
  return from;
}

/** An idle session ends with a tombstone, an ordinary numbered write (P13, P14). */
export function endIdle(state: PrimaryState, entry: Entry): void {
  const commit: Commit = {
    request: noRequest,
    ordinal: (entry.record.log.get(noRequest)?.commits ?? 0) + 1,
    change: { set: new Map(), remove: [] },
    destroy: true,
    carries: [],
    answer: null,
    kept: [],
    create: null,
    bury: null,
    at: state.nowMs,
  };
  // Nobody waits for it: a token that no caller has.
  commitHere(state, entry, commit, undefined, { token: 0 });
}
