import type { NodeId } from '@limpet/core';

/**
 * The way back to each member that has dialled this keeper. A process that was held up reads what had come meanwhile in any
 * order: the introduction of an incarnation that is dead by then must not take the place of its successor's.
 */
export class MemberLinks<Link> {
  readonly #links = new Map<NodeId, { readonly incarnation: number; readonly link: Link }>();

  introduce(node: NodeId, incarnation: number, link: Link): void {
    const known = this.#links.get(node);
    if (known === undefined || known.incarnation <= incarnation) this.#links.set(node, { incarnation, link });
  }

  /** The link has ended; another one of the same member stays. */
  ended(node: NodeId, link: Link): void {
    if (this.#links.get(node)?.link === link) this.#links.delete(node);
  }

  to(node: NodeId): Link | undefined {
    return this.#links.get(node)?.link;
  }
}
