import { randomFillSync } from 'node:crypto';
import {
  assert,
  formatSessionId,
  type NodeId,
  type PlacementRank,
  placementBytes,
  placementOf,
  randomBytes,
  type SessionId,
  type SipKey,
  type View,
} from '@limpet/core';

/** Far beyond luck: n draws are expected among n nodes. Reaching it means that this node cannot be rank 1 at all. */
const drawsMax = 100_000;

/**
 * Makes session ids whose home is `node` (P15): placement bytes are drawn until it is rank 1 in the ring, and in the
 * ring being moved to. A node outside of both finishes what runs: its ids find their home wherever they fall. `fill`
 * must come from a cryptographic source: ids are secret.
 */
export function createMint(
  node: NodeId,
  rank: PlacementRank,
  macKeys: readonly SipKey[],
  view: () => View | null,
  fill: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = randomFillSync,
): (kin: SessionId | null) => SessionId {
  const [signingKey] = macKeys;
  assert(signingKey !== undefined, 'a cluster has a key to sign ids with');
  const drawPlacement = (): Uint8Array => {
    const placement = new Uint8Array(placementBytes);
    const now = view();
    const sets = now === null ? [] : [now.ring, now.next ?? []].filter((set) => set.includes(node));
    for (let draws = 0; draws < drawsMax; draws++) {
      fill(placement);
      if (now === null || sets.every((set) => rank(placement, set, now.members, 1)[0] === node)) break;
    }
    return placement;
  };
  return (kin) =>
    formatSessionId(
      {
        arm: 0,
        placement: kin === null ? drawPlacement() : placementOf(kin),
        random: fill(new Uint8Array(randomBytes)),
      },
      signingKey,
    );
}
