import { basename } from 'node:path';
import {
  type Lifetimes,
  type NodeId,
  parseSessionId,
  type Rank,
  Restoration,
  type RestoreReport,
  type SavedSession,
  type SipKey,
  type View,
  whyNotSaved,
} from '@limpet/core';
import { readSessionFile } from '@limpet/transport';

export interface RestoreInput {
  readonly node: NodeId;
  readonly rank: Rank;
  readonly macKeys: readonly SipKey[];
  readonly lifetimes: Lifetimes;
  readonly files: readonly string[];
  /** The view that is about to be published. */
  readonly view: View;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly take: (session: SavedSession) => void;
}

/** Gives this member what the saved files hold for its place in the view. Each record is looked at by every member, and decoded only by those that keep it. Never rejects. */
export async function restoreSessions(input: RestoreInput): Promise<RestoreReport> {
  const { node: self, rank, view, macKeys } = input;
  const restoration = new Restoration({ self, rank, view, parse: (text) => parseSessionId(text, macKeys) });
  const damaged: { file: string; why: string; records: number }[] = [];
  for (const path of input.files) {
    const { why, lost } = await readSessionFile(path, (id, read) => {
      if (!restoration.wants(id)) return null;
      const value = read();
      const problem = whyNotSaved(value, id);
      if (problem === null) restoration.take(value as SavedSession);
      return problem;
    });
    if (why !== null) damaged.push({ file: basename(path), why, records: lost });
  }
  const { taken, ...report } = restoration.finish(input.now(), input.lifetimes);
  for (const session of taken) input.take(session);
  return { ...report, damaged };
}
