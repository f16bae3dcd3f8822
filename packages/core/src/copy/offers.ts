import type { NodeId, SessionId } from '../ids.ts';

/** Ids per offer message. */
export const offerBatch = 256;
/** Ids offered to one primary at a time; the rest is offered the next time. */
const offersAtOnce = 8 * offerBatch;

export function addOffer(offers: Map<NodeId, SessionId[]>, primary: NodeId | null, id: SessionId): void {
  if (primary === null) return;
  const batch = offers.get(primary);
  if (batch === undefined) offers.set(primary, [id]);
  else if (batch.length < offersAtOnce) batch.push(id);
}
