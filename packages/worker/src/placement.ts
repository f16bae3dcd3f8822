import type { IncomingMessage } from 'node:http';
import { assign, type Death, type Rank } from '@limpet/core';
import type { Place, RequestContext } from '@limpet/session';
import type { ViewFeed } from './view-feed.ts';

/** How many deaths an app can still ask about. */
const deathsMax = 64;

/** What an app may tell its users of where their session lives: nothing here decides anything. */
export class Placement {
  readonly #views: ViewFeed;
  readonly #rank: Rank;
  readonly #contextOf: (req: IncomingMessage) => RequestContext | null;
  readonly #deaths = new Map<string, number>();

  constructor(views: ViewFeed, rank: Rank, contextOf: (req: IncomingMessage) => RequestContext | null) {
    this.#views = views;
    this.#rank = rank;
    this.#contextOf = contextOf;
    views.subscribe((_, deaths) => this.#note(deaths));
  }

  /** The nodes that hold the session of this request, and its size; null without a session. */
  of(req: IncomingMessage): Place | null {
    const held = this.#contextOf(req)?.participant?.held() ?? null;
    const view = this.#views.current;
    if (held === null || view === null) return null;
    const [node, buddy] = assign(this.#rank, view, held.id).writeSet;
    let bytes = 0;
    for (const value of held.attributes.values()) bytes += value.byteLength;
    return { node: node ?? null, buddy: buddy ?? null, version: held.mark.version, bytes };
  }

  /** Milliseconds since the node last died, null when no death of it is known here. */
  diedAgoMs(node: string): number | null {
    const at = this.#deaths.get(node);
    return at === undefined ? null : performance.now() - at;
  }

  #note(deaths: readonly Death[]): void {
    for (const { node } of deaths) {
      this.#deaths.delete(node);
      this.#deaths.set(node, performance.now());
    }
    for (const node of this.#deaths.keys()) {
      if (this.#deaths.size <= deathsMax) break;
      this.#deaths.delete(node);
    }
  }
}
