import { unreachable } from '@limpet/core';
import type { Verdict } from '@limpet/session';

/** What becomes of a held response, or of a further piece of one (P4). */
export type Release =
  | { readonly kind: 'release' }
  /** Part of it is out: it must look incomplete. */
  | { readonly kind: 'cut' }
  /** The stored answer of another attempt of the same request. */
  | { readonly kind: 'replay'; readonly answer: Uint8Array }
  | {
      readonly kind: 'answer';
      readonly status: 409 | 421 | 502 | 503 | 504;
      readonly verdict: 'gone' | 'unknown' | 'executed' | 'not-executed';
    };

/** `isOut`: some of the response has left already. */
export function decideRelease(verdict: Verdict, isOut: boolean): Release {
  if (verdict.kind === 'safe') return { kind: 'release' };
  if (isOut) return { kind: 'cut' };
  switch (verdict.kind) {
    case 'gone':
      return { kind: 'answer', status: 409, verdict: 'gone' };
    case 'unloaded':
      return { kind: 'answer', status: verdict.why === 'moved' ? 421 : 503, verdict: 'not-executed' };
    case 'unknown':
      return { kind: 'answer', status: verdict.why === 'deadline' ? 504 : 502, verdict: 'unknown' };
    case 'duplicate':
      if (verdict.answer !== null) return { kind: 'replay', answer: verdict.answer };
      return { kind: 'answer', status: 502, verdict: 'executed' };
    default:
      return unreachable(verdict);
  }
}
