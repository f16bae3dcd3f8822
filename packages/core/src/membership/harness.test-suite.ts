import type { NodeId } from '../ids.ts';
import { nodeIdAt } from '../ids.ts';
import { Membership, type MembershipEffect, type MembershipOptions } from '../membership.ts';

export const [n1, n2, n3, n4] = [nodeIdAt(1), nodeIdAt(2), nodeIdAt(3), nodeIdAt(4)];
export const basics = { term: 1, copies: 2, keyId: 7, adopt: null } satisfies Partial<MembershipOptions>;

export const deathOf = (node: NodeId, incarnation = 1) =>
  ({ node, incarnation, cause: 'killed', how: 'SIGKILL', running: null }) as const;
export const killed = (node: NodeId, incarnation = 1) => ({ kind: 'died', death: deathOf(node, incarnation) }) as const;
export const ready = (node: NodeId, incarnation = 1) => ({ kind: 'ready', node, incarnation, weight: 1 }) as const;
export const drain = (node: NodeId) => ({ kind: 'drain', node }) as const;
export const undrain = (node: NodeId) => ({ kind: 'undrain', node }) as const;
export const left = (node: NodeId, incarnation = 1) => ({ kind: 'left', node, incarnation }) as const;

/** What came of a step, short: `n1,n2`, `n1,n2 → n1,n2,n3`, `n1 (n2 leaves)`, `settled`, `drained n2.1`. */
export const told = (effects: readonly MembershipEffect[]): readonly string[] => effects.map(format);

function format(effect: MembershipEffect): string {
  switch (effect.kind) {
    case 'publish': {
      const { ring, next, leaving } = effect.view;
      const moved = next === null ? '' : ` → ${next}`;
      return `${ring}${moved}${leaving.length > 0 ? ` (${leaving} leaves)` : ''}`;
    }
    case 'settled':
      return effect.whole ? 'settled' : 'settled, not whole';
    case 'drained':
      return `drained ${effect.node}.${effect.incarnation}`;
    case 'refused':
      return `refused ${effect.node}: ${effect.why}`;
  }
}

/** Both sides of these members (everyone) report done for the present view. */
export function reportAll(
  membership: Membership,
  who: (node: NodeId) => boolean = () => true,
  nowMs = 0,
): readonly MembershipEffect[] {
  const { view } = membership;
  return Object.values(view?.members ?? {}).flatMap(({ id: node, incarnation }) =>
    (['app', 'keeper'] as const).flatMap((side) =>
      view === null || !who(node) ? [] : membership.step({ kind: 'done', node, incarnation, side, view }, nowMs),
    ),
  );
}

/** A cluster of these nodes in its first view. */
export function startedWith(nodes: readonly NodeId[]): Membership {
  const membership = new Membership({ ...basics, wanted: nodes });
  for (const node of nodes) membership.step(ready(node), 0);
  return membership;
}

/** The same, every session with its copies. */
export function settledWith(nodes: readonly NodeId[]): Membership {
  const membership = startedWith(nodes);
  reportAll(membership);
  return membership;
}
