import type { ControlRole, ToSupervisor, View, ViewNumber } from '@limpet/core';

/** The first word on a control link. */
export const hello = (
  role: ControlRole,
  who: { readonly name: string; readonly incarnation: number },
  seen: View | null,
  settled: ViewNumber | null = null,
): ToSupervisor => ({ kind: 'hello', role, ...who, pid: 0, seen, settled, nonce: null, version: 'simulated' });
