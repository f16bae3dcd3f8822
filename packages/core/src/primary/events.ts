import type { NodeId, RequestId, SessionId } from '../ids.ts';
import type { Commit, FromCopySide, FromOwnKeeper, ToCopySide, ToOwnKeeper } from '../messages.ts';
import type { WorkingRecord } from '../record.ts';
import type { View, ViewNumber } from '../view.ts';

/** Names one wait of the caller; the machine answers each exactly once. */
export type Token = number;

/** How a commit, or the wait for one, ended. */
export type Settled =
  | { readonly kind: 'safe' }
  | { readonly kind: 'gone' }
  /** Not primary any more, and the new one would not take it. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'duplicate'; readonly answer: Uint8Array | null };

export type PrimaryEvent =
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'link'; readonly member: NodeId; readonly incarnation: number; readonly up: boolean }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: FromCopySide }
  | { readonly kind: 'own'; readonly message: FromCopySide | FromOwnKeeper }
  /** A request wants the session; it counts as running here until `close`. */
  | { readonly kind: 'open'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  | { readonly kind: 'create'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  | { readonly kind: 'commit'; readonly id: SessionId; readonly commit: Commit; readonly token: Token }
  /** Tell when everything committed so far is safe: what gates a read (P4). */
  | { readonly kind: 'safe'; readonly id: SessionId; readonly request: RequestId; readonly token: Token }
  /** The kernel accepted the last byte of the answer (P2). */
  | { readonly kind: 'delivered'; readonly id: SessionId; readonly request: RequestId }
  | { readonly kind: 'touch'; readonly id: SessionId }
  | { readonly kind: 'close'; readonly id: SessionId; readonly request: RequestId }
  /** Bring up to `budget` records to the current view and send what waits for its pace; answered by `more` while there is more. */
  | { readonly kind: 'sweep'; readonly budget: number }
  /** `lateMs`: how much later than the caller had meant to. */
  | { readonly kind: 'tick'; readonly lateMs?: number };

export type PrimaryEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: ToCopySide }
  | { readonly kind: 'own'; readonly message: ToOwnKeeper | ToCopySide }
  /** The live record (tombstones too), or null for an unknown session. */
  | { readonly kind: 'opened'; readonly token: Token; readonly record: WorkingRecord | null }
  /** This member is not primary of the session in its view. */
  | { readonly kind: 'moved'; readonly token: Token }
  | { readonly kind: 'settled'; readonly token: Token; readonly settled: Settled }
  /** Step with a `sweep` after that time; 0: as soon as other work has had its turn. */
  | { readonly kind: 'more'; readonly afterMs: number }
  /** Every session here has all its copies in this view. Repeated; `isNews`: copies have been made since it was last said. */
  | { readonly kind: 'done'; readonly view: ViewNumber; readonly isNews: boolean };
