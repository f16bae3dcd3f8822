import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatAddress, type NodeId, type SavedSession, type SaveReport, type Side, type View } from '@limpet/core';
import { type SavedEntry, sessionFileName, writeSessionFile } from '@limpet/transport';

export interface SaveInput {
  readonly node: NodeId;
  readonly incarnation: number;
  readonly side: Side;
  /** Null: sessions are not kept over a full stop. */
  readonly folder: string | null;
  /** Null: there has been none, so nothing is held that a file does not hold already. */
  readonly view: View | null;
  /** Everything this side holds; `primary` null: nobody's, or not known. */
  readonly sessions: Iterable<SavedSession & { readonly primary: NodeId | null }>;
  readonly limitMs: number;
}

const nothing: SaveReport = { sessions: 0, copies: {}, unsaved: 0, why: null };

/**
 * Writes everything that one side of a worker holds to its file in the run directory. The copies, too: what is the newest
 * of a session is found when it is loaded, and a process that dies now, or a file that is damaged later, takes nothing
 * with it. Never rejects.
 */
export async function saveSessions(input: SaveInput): Promise<SaveReport> {
  const { node, incarnation, side, folder, view, sessions } = input;
  const untilMs = performance.now() + input.limitMs;
  if (folder === null || view === null) return nothing;
  const copies = new Map<NodeId, number>();
  const entries = entriesOf(sessions, node, copies);
  const first = entries.next();
  if (first.done === true) return nothing;
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  const outcome = await writeSessionFile({
    path: join(folder, sessionFileName(formatAddress({ id: node, incarnation }), side)),
    keyId: view.keyId,
    view,
    entries: withFirst(first.value, entries),
    untilMs,
  });
  const { sessions: saved, unsaved, why } = outcome;
  // Counted as they were made, which is more than was written when something failed.
  return { sessions: saved, unsaved, why, copies: why === null ? Object.fromEntries(copies) : {} };
}

function* entriesOf(
  sessions: SaveInput['sessions'],
  self: NodeId,
  copies: Map<NodeId, number>,
): Generator<SavedEntry, void> {
  for (const { custody, record, primary } of sessions) {
    const isOwn = primary === self && !record.deleted;
    if (!record.deleted && primary !== null && primary !== self) copies.set(primary, (copies.get(primary) ?? 0) + 1);
    yield { id: record.id, value: { custody, record }, isOwn };
  }
}

function* withFirst<T>(first: T, rest: Iterable<T>): Generator<T, void> {
  yield first;
  yield* rest;
}
