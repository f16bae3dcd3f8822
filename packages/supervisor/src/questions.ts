import { randomBytes } from 'node:crypto';
import {
  assign,
  createRank,
  formatSessionId,
  LimpetError,
  type NodeId,
  parseSessionId,
  placementBytes,
  randomBytes as randomByteCount,
  type SessionId,
  shortHash,
  sipKey,
  type View,
} from '@limpet/core';
import type { Keys } from './keys.ts';

/** What a command can ask over the control socket. */
export type Question =
  | 'status'
  | 'kill'
  | 'stop'
  | 'session'
  | 'drain'
  | 'undrain'
  | 'restart'
  | 'scale'
  | 'pause'
  | 'resume';

/** Where a session lives by the arithmetic of the present view. */
export interface SessionAnswer {
  readonly id: string;
  /** What logs may show of it. */
  readonly hash: string;
  /** Ready to be sent as a request's `Cookie`. */
  readonly cookie: string;
  readonly primary: NodeId | null;
  readonly writeSet: readonly NodeId[];
}

/** Answers `session`: for the id or cookie in `body.id`, or for a fresh id that nobody uses yet. */
export function answerSession(keys: Keys, view: View | null, cookieName: string, body: unknown): SessionAnswer {
  const macKeys = keys.macKeys.map(sipKey);
  const [signing] = macKeys;
  if (signing === undefined) throw new LimpetError('LIMPET_BAD_COMMAND', { why: 'there is no key' });
  const asked = typeof body === 'object' && body !== null ? (body as { readonly id?: unknown }).id : undefined;
  let id: SessionId | null;
  if (typeof asked === 'string') id = parseSessionId(asked.slice(asked.indexOf('=') + 1), macKeys);
  else id = freshId(signing);
  if (id === null) {
    throw new LimpetError('LIMPET_BAD_COMMAND', { why: 'this is not the id of a session of this cluster' });
  }
  const { primary, writeSet } =
    view === null ? { primary: null, writeSet: [] } : assign(createRank(sipKey(keys.rankKey)), view, id);
  return { id, hash: shortHash(id), cookie: `${cookieName}=${id}`, primary, writeSet };
}

function freshId(macKey: ReturnType<typeof sipKey>): SessionId {
  return formatSessionId(
    { arm: 0, placement: randomBytes(placementBytes), random: randomBytes(randomByteCount) },
    macKey,
  );
}

/** The node that an operation is about. Throws LIMPET_BAD_COMMAND when the body names none. */
export function readName(question: string, body: unknown): string {
  const { node } = Object(body) as { readonly node?: unknown };
  if (typeof node === 'string') return node;
  throw new LimpetError('LIMPET_BAD_COMMAND', { why: `${question} needs the name of a node` });
}

/** How many nodes there should be. Not a number where the body says nothing: that is refused by whoever takes it. */
export const readNumber = (body: unknown): number => Number((Object(body) as { readonly nodes?: unknown }).nodes);

/** The body of `kill`. Throws LIMPET_BAD_COMMAND when it is none. */
export function readKill(body: unknown): { readonly node: string; readonly signal: NodeJS.Signals } {
  const { node, signal } = (typeof body === 'object' && body !== null ? body : {}) as {
    node?: unknown;
    signal?: unknown;
  };
  if (typeof node !== 'string') throw new LimpetError('LIMPET_BAD_COMMAND', { why: 'kill needs the name of a node' });
  return { node, signal: signal === undefined ? 'SIGKILL' : parseSignal(signal) };
}

/** Signals that end a process. Stopping one without ending it is another command. */
const endingSignals = ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGABRT', 'SIGSEGV', 'SIGBUS'] as const;

function parseSignal(value: unknown): NodeJS.Signals {
  const name = typeof value === 'string' ? value.toUpperCase() : '';
  const signal = endingSignals.find((known) => known === name || known === `SIG${name}`);
  if (signal !== undefined) return signal;
  throw new LimpetError('LIMPET_BAD_COMMAND', {
    why: `"${String(value)}" is not a signal that ends a process (${endingSignals.map((s) => s.slice(3)).join(', ')})`,
  });
}
