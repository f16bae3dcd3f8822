import { LimpetError, type NodeId, parseNodeId } from '@limpet/core';

/** Who this worker is, as the supervisor told it in its environment. No secrets: keys come over the control link. */
export interface Run {
  readonly node: NodeId;
  readonly incarnation: number;
  /** The folder of all sockets, absolute. */
  readonly sockets: string;
}

const variable = 'LIMPET_RUN';

/** Reads who this worker is and removes it at once, so that nothing the app starts takes itself for the worker. Null: not started as a worker. */
export function takeRun(env: NodeJS.ProcessEnv): Run | null {
  const text = env[variable];
  if (text === undefined) return null;
  delete env[variable];
  const run = parseRun(text);
  if (run === 'other') return null;
  if (run === null) throw new LimpetError('LIMPET_RUN_INVALID', { variable });
  return run;
}

function parseRun(text: string): Run | 'other' | null {
  const found: unknown = parseJson(text);
  if (typeof found !== 'object' || found === null) return null;
  const { role, name, incarnation, sockets } = found as { readonly [key: string]: unknown };
  if (role !== 'worker') return 'other';
  const node = typeof name === 'string' ? parseNodeId(name) : null;
  if (node === null || typeof incarnation !== 'number' || typeof sockets !== 'string') return null;
  return { node, incarnation, sockets };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
