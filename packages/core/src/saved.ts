import { assign } from './assignment.ts';
import type { NodeId, SessionId } from './ids.ts';
import { type Lifetimes, touchGraceMs } from './lifetimes.ts';
import type { SessionRecord } from './messages.ts';
import type { Rank } from './rank.ts';
import type { RestoreReport } from './save-reports.ts';
import { compareViews, type View, type ViewNumber } from './view.ts';

/** A session as a member holds it, with the view of the last write it accepted: what claims and saved files are compared by. */
export interface SavedSession {
  readonly custody: ViewNumber;
  readonly record: SessionRecord;
}

/** P6: the newer custody is right, then the higher version; a tombstone wins a tie (P13). */
export function isNewer(a: SavedSession, b: SavedSession): boolean {
  const custody = compareViews(a.custody, b.custody);
  if (custody !== 0) return custody > 0;
  const version = a.record.mark.version - b.record.mark.version;
  return version > 0 || (version === 0 && a.record.deleted && !b.record.deleted);
}

/** Fields that a record saved by an earlier version may lack. */
type Later = 'touchedAt' | 'log' | 'kept';

/** Why `value`, read from a saved file, is not the session `id`; null when it is one. */
export function whyNotSaved(value: unknown, id: string): string | null {
  const { custody, record } = Object(value) as Partial<SavedSession>;
  if (!isViewNumber(custody)) return 'it has no custody';
  const { mark, attributes, deleted, createdAt, expiresAt } = Object(record) as Partial<SessionRecord>;
  if (record?.id !== id) return 'it is of another session';
  if (!isCount(mark?.version) || !isViewNumber(mark?.view) || typeof mark?.by !== 'string') return 'it has no mark';
  if (typeof deleted !== 'boolean' || !isCount(createdAt) || !isCount(expiresAt)) return 'it has no dates';
  const { touchedAt, log, kept } = record;
  if (touchedAt !== undefined && !isCount(touchedAt)) return 'it has no dates';
  if (!isListOrMissing(log) || !isListOrMissing(kept)) return 'its log is none';
  if (!(attributes instanceof Map)) return 'it has no attributes';
  for (const [name, bytes] of attributes) {
    if (typeof name !== 'string' || !(bytes instanceof Uint8Array)) return 'it has an attribute that is none';
  }
  return null;
}

const isListOrMissing = (value: unknown): boolean => value === undefined || Array.isArray(value);
const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isViewNumber = (value: unknown): boolean => {
  const { term, number } = Object(value) as Partial<ViewNumber>;
  return isCount(term) && isCount(number);
};

/** The record of a file that an earlier version may have written: what it lacks has its value of before. */
function upToDate(record: Omit<SessionRecord, Later> & Partial<Pick<SessionRecord, Later>>): SessionRecord {
  return { log: [], kept: [], touchedAt: record.createdAt, ...record };
}

export interface RestorationOptions {
  readonly self: NodeId;
  readonly rank: Rank;
  /** The view that is about to be published: who will hold what. */
  readonly view: View;
  /** The id spelled by the text when one of the present keys signed it. */
  readonly parse: (text: string) => SessionId | null;
}

/**
 * What one member takes of the sessions saved at a full stop. Each session is in the file of its primary and in those of
 * its copies: the newest is taken, by the rule of claims.
 */
export class Restoration {
  readonly #options: RestorationOptions;
  readonly #found = new Map<SessionId, SavedSession>();
  readonly #unverified = new Set<string>();

  constructor(options: RestorationOptions) {
    this.#options = options;
  }

  /** Whether this member will hold the session. Costs no more than ranking its id. */
  wants(text: string): boolean {
    const { self, rank, view, parse } = this.#options;
    const id = parse(text);
    if (id !== null) return assign(rank, view, id).writeSet.includes(self);
    // Counted once in the whole cluster: by the member that would have been its primary.
    if (assign(rank, view, text as SessionId).primary === self) this.#unverified.add(text);
    return false;
  }

  take(session: SavedSession): void {
    const { custody } = session;
    const record = upToDate(session.record);
    const known = this.#found.get(record.id);
    if (known === undefined) {
      this.#found.set(record.id, { custody, record });
      return;
    }
    const best = isNewer({ custody, record }, known) ? { custody, record } : known;
    // News of a session's use travels by itself (P14): the later of the two is right whichever record is.
    const touchedAt = Math.max(record.touchedAt, known.record.touchedAt);
    this.#found.set(record.id, { custody: best.custody, record: { ...best.record, touchedAt } });
  }

  /** What is left once sessions over their limits are dropped; the idle limit has gone on counting while the cluster was down. */
  finish(nowMs: number, lifetimes: Lifetimes): RestoreReport & { readonly taken: readonly SavedSession[] } {
    const { self, rank, view } = this.#options;
    const idleMs = lifetimes.idleMs + touchGraceMs(lifetimes);
    const taken: SavedSession[] = [];
    let [sessions, tombstones, expired] = [0, 0, 0];
    for (const session of this.#found.values()) {
      const { id, deleted, expiresAt, touchedAt } = session.record;
      const isMine = assign(rank, view, id).primary === self;
      if (nowMs > expiresAt || (!deleted && nowMs - touchedAt > idleMs)) {
        if (isMine && !deleted) expired += 1;
        continue;
      }
      taken.push(session);
      if (isMine && deleted) tombstones += 1;
      else if (isMine) sessions += 1;
    }
    this.#found.clear();
    return { taken, sessions, tombstones, expired, unverified: this.#unverified.size, damaged: [] };
  }
}
