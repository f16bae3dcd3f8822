import type { FromCopySide, NodeId, Rank, RequestId, SessionId, ToCopySide, View, ViewNumber } from '@limpet/core';
import type { Names } from './names.ts';
import type { Network } from './network.ts';

/** One thing a handler does with its session. */
export type Deed =
  | { readonly kind: 'add'; readonly attribute: string }
  | { readonly kind: 'put'; readonly attribute: string; readonly value: number }
  | { readonly kind: 'read'; readonly attribute: string }
  | { readonly kind: 'logout' }
  /** The process ends itself. */
  | { readonly kind: 'crash' };

/** A client's request, the same over all its attempts. */
export interface Ask {
  readonly name: string;
  readonly request: RequestId;
  readonly method: string;
  readonly session: SessionId | null;
  /** What its handler does; a script may add to it while the handler works. */
  readonly deeds: Deed[];
  /** The handler answers when it has done all of it. */
  isWhole: boolean;
}

/** What the far end of a link may do with a worker. */
export interface Receiver {
  readonly isAlive: boolean;
  readonly isPaused: boolean;
  /** Its keeper hears another member's app loop. */
  fromApp(from: NodeId, message: ToCopySide): void;
  /** Its app loop hears another member's keeper. */
  fromKeeper(from: NodeId, message: FromCopySide): void;
}

/** What the processes of a story share. */
export interface Stage {
  readonly names: Names;
  readonly network: Network;
  readonly rank: Rank;
  tell(line: string): void;
  /** Milliseconds of the story's clock. */
  nowMs(): number;
  /** Within a process: done once what is under way is over. */
  soon(run: () => void): void;
  receiver(node: NodeId, incarnation: number): Receiver | undefined;
  reportDone(node: NodeId, incarnation: number, side: 'app' | 'keeper', view: ViewNumber): void;
  /** A process has ended, by itself or because it was drained. */
  ended(node: NodeId, incarnation: number): void;
  /** The id that the next new session gets. */
  mint(): SessionId;
  /** A worker lets an answer go that shows this version of a session. */
  released(at: { readonly node: NodeId; readonly view: View | null }, ask: Ask, id: SessionId, version: number): void;
  failed(error: unknown): void;
}
