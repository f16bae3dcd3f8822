import type { Request } from 'express';

/** Where a session lives, as Limpet's runtime tells it. */
export interface Place {
  readonly node: string | null;
  /** The node with the copy, null when there is none. */
  readonly buddy: string | null;
  readonly version: number | null;
  /** Of the encoded attributes. */
  readonly bytes: number | null;
}

/** What the demo asks of the runtime that Limpet puts into a worker; each part may be missing (`node app.js` alone). */
interface RuntimeFace {
  readonly placement?: (req: Request) => Place | null;
  readonly diedAgoMs?: (node: string) => number | null;
}

const runtime = (): RuntimeFace =>
  (globalThis as { [key: symbol]: RuntimeFace | undefined })[Symbol.for('limpet.runtime')] ?? {};

/** This node's name, null outside a cluster. */
export const nodeName: string | null = process.env.LIMPET_NODE ?? null;

/** Where the session of `req` lives; parts that are not known are null. */
export function placeOf(req: Request): Place {
  const place = runtime().placement?.(req) ?? null;
  return {
    node: nodeName,
    buddy: place?.buddy ?? null,
    version: place?.version ?? null,
    bytes: place?.bytes ?? null,
  };
}

/** When `node` last died (milliseconds since the epoch), null when nothing is known of a death. */
export function diedAt(node: string, now: number): number | null {
  const ago = runtime().diedAgoMs?.(node) ?? null;
  return ago === null ? null : now - ago;
}
