import type { Keyed } from './idempotency-key.ts';
import type { KeyName, RequestId } from './ids.ts';
import type { Commit, KeptAnswer } from './messages.ts';

/** How long the answer under a key is kept when nobody says otherwise, in milliseconds. It ends with the session at the latest. */
export const keyLifeMsDefault = 24 * 3_600_000;
/** Keys per session. Beyond, the oldest is forgotten: a repetition of it would be a new request. */
export const keptKeysMax = 1_000;
/** Bytes of kept answers per session. Beyond, the oldest answers go first and leave their keys: `executed`, not a second run. */
export const keptBytesMax = 256 * 1024;

/**
 * The answers of a session's requests with an Idempotency-Key, oldest first (P2). Changed by commits only, by the same function on
 * primary and copy: equal inputs, equal tables.
 */
export type KeptAnswers = Map<KeyName, KeptAnswer>;

/** A running request whose unfinished changes another's commit publishes (P16). */
export interface Carried {
  readonly request: RequestId;
  readonly keyed: Keyed | null;
}

/** What a commit says about the keys of its own request and of those it carries. `until`: milliseconds since the epoch. */
export function keptBy(
  own: Carried & { readonly answer: Uint8Array | null },
  carries: readonly Carried[],
  until: number,
): readonly KeptAnswer[] {
  const kept: KeptAnswer[] = [];
  if (own.keyed !== null)
    kept.push({ ...own.keyed, request: own.request, state: 'committed', answer: own.answer, until });
  for (const { request, keyed } of carries) {
    if (keyed !== null) kept.push({ ...keyed, request, state: 'carried', answer: null, until });
  }
  return kept;
}

/** Takes up the entries of a commit made at `at`, and lets go what is over or too much. */
export function keep(table: KeptAnswers, entries: readonly KeptAnswer[], at: number): void {
  if (entries.length === 0) return;
  for (const entry of entries) {
    const known = table.get(entry.key);
    // It has committed by itself before, or is carried once more.
    if (entry.state === 'carried' && known !== undefined && known.until > at) continue;
    // A later commit of the same request, made while its answer was not whole yet or out already.
    const answer = entry.answer ?? (known?.request === entry.request ? known.answer : null);
    table.delete(entry.key);
    table.set(entry.key, { ...entry, answer });
  }
  let bytes = 0;
  for (const { key, until, answer } of table.values()) {
    if (until <= at) table.delete(key);
    else bytes += answer?.byteLength ?? 0;
  }
  for (const entry of table.values()) {
    if (bytes <= keptBytesMax) break;
    if (entry.answer === null) continue;
    bytes -= entry.answer.byteLength;
    table.set(entry.key, { ...entry, answer: null });
  }
  for (const key of table.keys()) {
    if (table.size <= keptKeysMax) break;
    table.delete(key);
  }
}

/** What the table knows of a key at `nowMs`; null for one whose life is over. */
export function findKept(table: KeptAnswers, key: KeyName, nowMs: number): KeptAnswer | null {
  const entry = table.get(key);
  return entry !== undefined && entry.until > nowMs ? entry : null;
}

/** The entry of another request that has committed under a key of this commit: this one must not take effect as well. */
export function findRival(table: KeptAnswers, commit: Pick<Commit, 'kept' | 'request' | 'at'>): KeptAnswer | null {
  for (const { key, request } of commit.kept) {
    const known = findKept(table, key, commit.at);
    if (request === commit.request && known !== null && known.request !== request) return known;
  }
  return null;
}
