import type { SessionId } from '@limpet/core';
import type { Held } from './engine.ts';
import type { Live, Touches } from './live.ts';

/** One session as one request sees it. `regenerate` and `destroy` begin another part. */
export interface Part {
  readonly touches: Touches;
  /** Null while nothing is in it: a session that stays empty is never made. */
  held: Held | null;
  live: Live | null;
  /** The id it will have, drawn when first asked for. */
  id: SessionId | null;
  /** The id whose placement it keeps. */
  readonly kin: SessionId | null;
  /** Made by this request and not committed yet. */
  isDraft: boolean;
  /** Destroyed or replaced by this request: nothing can be changed in it. */
  isOver: boolean;
}
