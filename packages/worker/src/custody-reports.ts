import type { CustodyReport } from '@limpet/core';

/** How often a side looks whether what it says of its sessions has changed, in milliseconds: what is said of a death is that old at most. */
const lookEveryMs = 50;
/** Said again unchanged, for a supervisor that has just come. */
const againEveryMs = 500;
/** Unchanged for so long counts as steady. */
const steadyMs = 1_000;

/** What a side knows of its sessions now; `changes` is another value whenever the rest may be. */
export type Custody = Omit<CustodyReport, 'isSteady'> & { readonly changes: string };

/**
 * Tells the supervisor who holds the sessions here whenever that changes: the dead cannot be asked. Returns what says it
 * at once, for a new view: from then on what was said in the one before tells nothing of what happens here.
 */
export function reportCustody(read: () => Custody | null, send: (report: CustodyReport) => void): () => void {
  let changes = '';
  let changedAt = performance.now();
  let sentAt = 0;
  const look = (): void => {
    const custody = read();
    if (custody === null) return;
    const now = performance.now();
    const hasChanged = custody.changes !== changes;
    if (hasChanged) changedAt = now;
    if (!hasChanged && now - sentAt < againEveryMs) return;
    changes = custody.changes;
    sentAt = now;
    const { view, holdings, orphans } = custody;
    send({ view, holdings, orphans, isSteady: now - changedAt >= steadyMs });
  };
  setInterval(look, lookEveryMs).unref();
  return look;
}
