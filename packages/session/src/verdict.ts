import { LimpetError, type PrimaryEffect } from '@limpet/core';
import type { Verdict } from './engine.ts';

/** A verdict, there at once or later. */
export type Pending = Verdict | Promise<Verdict>;

/** What the primary machine answers to a token. */
export type Answer = PrimaryEffect & { readonly kind: 'opened' | 'moved' | 'settled' };

/** Null: there was no answer before the deadline. */
export function verdictOf(answer: Answer | null): Verdict {
  if (answer === null) return { kind: 'unknown', why: 'deadline' };
  if (answer.kind !== 'settled' || answer.settled.kind === 'refused') return { kind: 'unknown', why: 'handed-over' };
  return answer.settled;
}

/** Safe when both are; otherwise the first that is not. */
export function combineVerdicts(first: Pending, second: Pending): Pending {
  if (!(first instanceof Promise)) return first.kind === 'safe' ? second : first;
  return Promise.all([first, second]).then(([a, b]) => (a.kind === 'safe' ? b : a));
}

/** What `save()` and its like fail with, or null when all is safe. */
function errorOf(verdict: Verdict): LimpetError | null {
  switch (verdict.kind) {
    case 'safe':
      return null;
    case 'gone':
      return new LimpetError('LIMPET_SESSION_GONE', { attribute: '*' });
    case 'duplicate':
      return new LimpetError('LIMPET_REPEATED');
    case 'unloaded':
      return verdict.why === 'moved'
        ? new LimpetError('LIMPET_MOVED')
        : new LimpetError('LIMPET_DEADLINE', { ms: 'the given', what: 'the session could not be loaded' });
    case 'unknown':
      return verdict.why === 'handed-over'
        ? new LimpetError('LIMPET_HANDED_OVER')
        : new LimpetError('LIMPET_DEADLINE', {
            ms: 'the given',
            what: 'a copy of the session has not been acknowledged',
          });
  }
}

/** Resolves when the verdict is safe, rejects otherwise. */
export async function rejectUnsafe(pending: Pending): Promise<void> {
  const error = errorOf(await pending);
  if (error !== null) throw error;
}
