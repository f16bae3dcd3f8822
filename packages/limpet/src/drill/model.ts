import { unreachable } from '@limpet/core';

/** What one session of the drill holds. */
export interface Content {
  /** Who signed in: no two sessions of a drill have the same. */
  readonly user: string;
  readonly counter: number;
  readonly list: readonly string[];
}

/** A session; null: there is none, not yet or not any more. */
export type State = Content | null;

/** One request of a session, as its client means it. */
export type Operation =
  /** Begins the session, empty. */
  | { readonly kind: 'login'; readonly user: string }
  /** Adds one to the counter. */
  | { readonly kind: 'add' }
  /** Appends a value that no other request appends. */
  | { readonly kind: 'append'; readonly value: string }
  | { readonly kind: 'read' }
  /** Ends the session for ever. */
  | { readonly kind: 'logout' };

/** What an operation does to a session, and what its answer shows of it. */
export interface Effect {
  readonly after: State;
  /** The session behind the operation; for `logout` the one it ended. */
  readonly shown: State;
}

/** The whole specification: a session is a register with these operations, each of them atomic. */
export function applyOperation(state: State, operation: Operation): Effect {
  switch (operation.kind) {
    case 'login':
      return show({ user: operation.user, counter: 0, list: [] });
    case 'add':
      return show(state === null ? null : { ...state, counter: state.counter + 1 });
    case 'append':
      return show(state === null ? null : { ...state, list: [...state.list, operation.value] });
    case 'read':
      return show(state);
    case 'logout':
      return { after: null, shown: state };
    default:
      return unreachable(operation);
  }
}

const show = (state: State): Effect => ({ after: state, shown: state });

/** Equal texts mean equal sessions. */
export const formatState = (state: State): string =>
  state === null ? 'none' : `${state.user} ${state.counter} [${state.list.join(' ')}]`;

/** Whether the operation leaves everything as it is. */
export const isRead = (operation: Operation): boolean => operation.kind === 'read';
