import type { NodeId } from '../ids.ts';
import type { FromCopySide, FromOwnKeeper, ToCopySide, ToOwnKeeper } from '../messages.ts';
import type { SavedSession } from '../saved.ts';
import type { View, ViewNumber } from '../view.ts';

export type CopyEvent =
  | { readonly kind: 'view'; readonly view: View }
  | { readonly kind: 'message'; readonly from: NodeId; readonly message: ToCopySide }
  /** Before the first view: a session of the files saved at the last full stop. */
  | { readonly kind: 'restore'; readonly session: SavedSession }
  | { readonly kind: 'own'; readonly message: ToOwnKeeper | ToCopySide }
  /** Brings up to `budget` records to the current view; answered by `more` while there is something left. */
  | { readonly kind: 'sweep'; readonly budget: number }
  | { readonly kind: 'tick' };

export type CopyEffect =
  | { readonly kind: 'send'; readonly to: NodeId; readonly message: FromCopySide }
  | { readonly kind: 'own'; readonly message: FromCopySide | FromOwnKeeper }
  | { readonly kind: 'more' }
  /** Too many messages held for this member: end its link. */
  | { readonly kind: 'cut'; readonly member: NodeId }
  | { readonly kind: 'done'; readonly view: ViewNumber };
