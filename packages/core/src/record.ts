import { type Bounds, bounds } from './bounds.ts';
import type { RequestId, SessionId } from './ids.ts';
import { type KeptAnswers, keep } from './kept.ts';
import type { Commit, Encoded, LogEntry, Mark, SessionRecord } from './messages.ts';
import { compareViews } from './view.ts';

type LogBounds = Pick<Bounds, 'logEntriesMax' | 'logAnswerBytesMax'>;

/** A session as a member holds it: the shape of SessionRecord, changed in place by `applyCommit` only. */
export interface WorkingRecord {
  readonly id: SessionId;
  mark: Mark;
  readonly attributes: Map<string, Encoded>;
  deleted: boolean;
  createdAt: number;
  expiresAt: number;
  touchedAt: number;
  readonly log: Map<RequestId, LogEntry>;
  /** Bytes of all answers in `log`. */
  answerBytes: number;
  readonly kept: KeptAnswers;
}

/** The mark before the first version. */
export const noMark: Mark = { version: 0, view: { term: 0, number: 0 }, by: '' };

export const sameMark = (a: Mark, b: Mark): boolean =>
  a.version === b.version && a.by === b.by && compareViews(a.view, b.view) === 0;

/** A session before its first commit. */
export function emptyRecord(id: SessionId): WorkingRecord {
  return {
    id,
    mark: noMark,
    attributes: new Map(),
    deleted: false,
    createdAt: 0,
    expiresAt: 0,
    touchedAt: 0,
    log: new Map(),
    answerBytes: 0,
    kept: new Map(),
  };
}

export function workingRecord(record: SessionRecord): WorkingRecord {
  return {
    ...record,
    attributes: new Map(record.attributes),
    log: new Map(record.log.map((entry) => [entry.request, entry])),
    answerBytes: record.log.reduce((sum, { answer }) => sum + bytesOf(answer), 0),
    kept: new Map(record.kept.map((entry) => [entry.key, entry])),
  };
}

/** What is sent to a member that lacks the session: a copy, so that later commits do not change it under way. */
export function snapshot(record: WorkingRecord): SessionRecord {
  const { id, mark, attributes, deleted, createdAt, expiresAt, touchedAt, log, kept } = record;
  return {
    id,
    mark,
    attributes: new Map(attributes),
    deleted,
    createdAt,
    expiresAt,
    touchedAt,
    log: [...log.values()],
    kept: [...kept.values()],
  };
}

/**
 * What is kept of a session over a full stop: no log, because the requests in it were those of balancers that have ended,
 * and none of them can come again.
 */
export const snapshotWithoutLog = (record: WorkingRecord): SessionRecord =>
  snapshot({ ...record, log: new Map(), answerBytes: 0 });

/**
 * Makes `mark` out of the version before it. The same function on primary and copy: equal inputs, equal records.
 * `keptFrom`: requests logged before that are forgotten.
 */
export function applyCommit(
  record: WorkingRecord,
  mark: Mark,
  commit: Commit,
  keptFrom: number,
  limits: LogBounds = bounds,
): void {
  record.mark = mark;
  if (commit.create !== null) {
    record.createdAt = commit.create.createdAt;
    record.expiresAt = commit.create.expiresAt;
  }
  for (const name of commit.change.remove) record.attributes.delete(name);
  for (const [name, value] of commit.change.set) record.attributes.set(name, value);
  if (commit.destroy) {
    bury(record);
    // Whoever signs out wants nothing of what was shown before to be shown again.
    record.kept.clear();
  }
  touch(record, commit.at);
  remember(record, mark.version, commit, keptFrom, limits);
}

/** Later news of a session's use; earlier news changes nothing. */
export function touch(record: WorkingRecord, at: number): void {
  if (at > record.touchedAt) record.touchedAt = at;
}

/** A tombstone keeps its log, its kept answers and its end of life, nothing else (P13). */
export function bury(record: WorkingRecord): void {
  record.deleted = true;
  record.attributes.clear();
}

/** The tombstone that `commit.bury` makes of the old id: its log entry is kept under both ids (P15). */
export function buryUnder(
  record: WorkingRecord,
  mark: Mark,
  commit: Commit,
  keptFrom: number,
  limits: LogBounds = bounds,
): void {
  record.mark = mark;
  if (record.expiresAt === 0 && commit.create !== null) record.expiresAt = commit.create.expiresAt;
  bury(record);
  touch(record, commit.at);
  remember(record, mark.version, commit, keptFrom, limits);
}

function remember(record: WorkingRecord, version: number, commit: Commit, keptFrom: number, limits: LogBounds): void {
  const { request, ordinal: commits, answer, at } = commit;
  // Set anew so that the map stays ordered by age: forgetting stops at the first entry that is young enough.
  forget(record, request);
  record.log.set(request, { request, state: 'committed', version, commits, answer, at });
  record.answerBytes += bytesOf(answer);
  for (const carried of commit.carries) {
    if (record.log.has(carried)) continue;
    record.log.set(carried, { request: carried, state: 'carried', version, commits: 0, answer: null, at });
  }
  keep(record.kept, commit.kept, at);
  forgetRequests(record, keptFrom, limits);
  for (const id of record.log.keys()) {
    if (record.answerBytes <= limits.logAnswerBytesMax) return;
    dropAnswer(record, id);
  }
}

/** Drops what is older than any retry can be: else the log of an idle session would stay as long as the session. */
export function forgetRequests(record: WorkingRecord, keptFrom: number, { logEntriesMax }: LogBounds = bounds): void {
  for (const [id, entry] of record.log) {
    if (record.log.size <= logEntriesMax && entry.at >= keptFrom) return;
    forget(record, id);
  }
}

function forget(record: WorkingRecord, request: RequestId): void {
  record.answerBytes -= bytesOf(record.log.get(request)?.answer ?? null);
  record.log.delete(request);
}

const bytesOf = (answer: Uint8Array | null): number => answer?.byteLength ?? 0;

/** The answer has left: its bytes need not be kept, the id stays (P2). */
export function dropAnswer(record: WorkingRecord, request: RequestId): void {
  const entry = record.log.get(request);
  if (entry === undefined || entry.answer === null) return;
  record.answerBytes -= entry.answer.byteLength;
  record.log.set(request, { ...entry, answer: null });
}
