import type { NodeId, SessionId } from './ids.ts';
import { placementBytes, readPlacement } from './session-id.ts';
import { type Sip64, type SipKey, sipHash, sipKey } from './siphash.ts';
import { assert } from './unreachable.ts';
import type { View } from './view.ts';

/** Members of `set`, best first; only the best `top` of them when it is given. Every one of the set must be in `members`. */
export type Rank = (id: SessionId, set: readonly NodeId[], members: View['members'], top?: number) => readonly NodeId[];

/** The same for placement bytes without an id: what a node draws from until rank 1 is itself (P15). */
export type PlacementRank = (
  placement: Uint8Array,
  set: readonly NodeId[],
  members: View['members'],
  top?: number,
) => readonly NodeId[];

/** A set of members as ranking reads it: everything that does not depend on the placement, in flat arrays. */
interface Field {
  readonly members: View['members'];
  readonly ids: readonly NodeId[];
  /** Two halves per member, high then low. */
  readonly seeds: Int32Array;
  /** Null when all are equal: then the draws alone give the same order, without a logarithm per member. */
  readonly weights: Float64Array | null;
}

/** Up to this many winners are kept sorted by insertion; more would cost the square of it. */
const insertionMax = 64;

// Public and fixed for ever (`hashVersion` 1): a seed only tells members apart; what is secret is the placement's hash.
const seedKey = sipKey(Uint8Array.from({ length: 16 }, (_, at) => at));

/** From the id alone, not the incarnation: a worker that comes back finds its sessions' homes where they were. */
function seedOf(id: NodeId): Sip64 {
  return sipHash(
    seedKey,
    Uint8Array.from(id, (character) => character.charCodeAt(0)),
  );
}

/** One field per `set` array. A view is frozen, so every ranking in it finds its own field again; it goes with the view. */
const fields = new WeakMap<readonly NodeId[], Field>();

function fieldOf(set: readonly NodeId[], members: View['members']): Field {
  const known = fields.get(set);
  // The ids are compared, too: a caller that changed its array in place must not be answered from the array it was.
  if (known !== undefined && known.members === members && isSame(known.ids, set)) return known;
  const seeds = new Int32Array(2 * set.length);
  const weights = new Float64Array(set.length);
  set.forEach((id, at) => {
    const member = members[id];
    assert(member !== undefined, `${id} is ranked but is no member of the view`);
    const seed = seedOf(id);
    seeds[2 * at] = seed.high;
    seeds[2 * at + 1] = seed.low;
    weights[at] = member.weight;
  });
  const equal = weights.every((weight) => weight === weights[0]);
  const field: Field = { members, ids: [...set], seeds, weights: equal ? null : weights };
  fields.set(set, field);
  return field;
}

function isSame(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

/**
 * A member's luck for one placement: strictly between 0 and 1, in steps of 2⁻⁵² (one more bit and the greatest would
 * round up to 1). The mix is a bijection of 64 bits in which every bit of the input reaches every bit of the output.
 * It needs no secrecy: `hash` is already unpredictable, only the members' draws must not depend on each other.
 */
function draw(hash: Sip64, seeds: Int32Array, at: number): number {
  let a = hash.high ^ (seeds[2 * at] ?? 0);
  let b = hash.low ^ (seeds[2 * at + 1] ?? 0);
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b);
  b = (b + a) | 0;
  b = Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  a = (a + b) | 0;
  a = Math.imul(a ^ (a >>> 15), 0x2c1b3c6d);
  b = (b + a) | 0;
  b = Math.imul(b ^ (b >>> 12), 0x297a2d39);
  a = (a + b) | 0;
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  b = (b + (a ^ (a >>> 15))) | 0;
  b ^= b >>> 16;
  return ((a >>> 0) * 0x100000 + (b >>> 12) + 0.5) / 0x10000000000000;
}

/**
 * Rendezvous hashing with weights: the greatest −w / ln u comes first, with probability w / Σw. Source: Schindelhauer
 * and Schomaker, "Weighted distributed hash tables" (2005). With equal weights u itself has the same order, because
 * the logarithm of two draws 2⁻⁵² apart never comes out the wrong way round.
 */
function score(hash: Sip64, field: Field, at: number): number {
  const u = draw(hash, field.seeds, at);
  return field.weights === null ? u : -(field.weights[at] ?? 0) / Math.log(u);
}

/** Whether `a` ranks before `b` with the same score: the draw decides, then the id. A total order on every machine. */
function wins(hash: Sip64, field: Field, a: number, b: number): boolean {
  const difference = draw(hash, field.seeds, a) - draw(hash, field.seeds, b);
  return difference !== 0 ? difference > 0 : (field.ids[a] ?? '') < (field.ids[b] ?? '');
}

// The best so far: filled and read within one synchronous call, so that a ranking allocates only its answer.
const bestScores = new Float64Array(insertionMax);
const bestMembers = new Int32Array(insertionMax);

function rankHash(
  hash: Sip64,
  set: readonly NodeId[],
  members: View['members'],
  top: number = set.length,
): readonly NodeId[] {
  const field = fieldOf(set, members);
  const { ids } = field;
  const keep = Math.min(top, ids.length);
  if (keep > insertionMax) return rankAll(hash, field).slice(0, keep);
  let size = 0;
  for (let member = 0; member < ids.length; member++) {
    const mine = score(hash, field, member);
    let at = size;
    for (; at > 0; at--) {
      const other = bestScores[at - 1] ?? 0;
      if (other > mine) break;
      if (other === mine && !wins(hash, field, member, bestMembers[at - 1] ?? 0)) break;
      if (at < keep) {
        bestScores[at] = other;
        bestMembers[at] = bestMembers[at - 1] ?? 0;
      }
    }
    if (at >= keep) continue;
    bestScores[at] = mine;
    bestMembers[at] = member;
    if (size < keep) size++;
  }
  const ranked: NodeId[] = [];
  for (let at = 0; at < size; at++) {
    const id = ids[bestMembers[at] ?? 0];
    if (id !== undefined) ranked.push(id);
  }
  return ranked;
}

function rankAll(hash: Sip64, field: Field): readonly NodeId[] {
  const scored = field.ids.map((id, at) => ({ id, at, score: score(hash, field, at) }));
  scored.sort((a, b) => b.score - a.score || (wins(hash, field, a.at, b.at) ? -1 : 1));
  return scored.map(({ id }) => id);
}

/** Ranks placements under the cluster's key. */
export function createPlacementRank(key: SipKey): PlacementRank {
  return (placement, set, members, top) => rankHash(sipHash(key, placement), set, members, top);
}

/** Ranks the placement bytes of session ids under the cluster's key: nobody without it can aim an id at a node. */
export function createRank(key: SipKey): Rank {
  const placement = new Uint8Array(placementBytes);
  return (id, set, members, top) => {
    readPlacement(id, placement);
    return rankHash(sipHash(key, placement), set, members, top);
  };
}
