import { type NodeId, nodeIdAt, parseNodeId } from '@limpet/core';
import { readJson, reasonOf, replaceFile } from './files.ts';

/**
 * What the operator wants of the nodes; what is observed of them stands elsewhere. On disk as `wishes.json` of the run
 * directory, so that a supervisor that takes over goes on with it (P17):
 * `{"nodes":4,"drained":["n2"],"restarts":[{"node":"n1","incarnation":3}]}`.
 */
export interface Wishes {
  /** So many nodes, from n1 on. */
  readonly nodes: number;
  /** In mode drain: outside the ring, and down once drained. */
  readonly drained: readonly NodeId[];
  /** To be started anew, one after the other: each until its incarnation is another one and in the ring. */
  readonly restarts: readonly Restart[];
}

export interface Restart {
  readonly node: NodeId;
  /** The one to be replaced. */
  readonly incarnation: number;
}

/** The file's content, null when there is none that can be read. */
export function readWishes(path: string): Wishes | null {
  const content = readJson(path);
  if (typeof content !== 'object' || content === null) return null;
  const { nodes, drained, restarts } = content as { readonly [key in keyof Wishes]?: unknown };
  if (!Number.isInteger(nodes) || Number(nodes) < 1 || !Array.isArray(drained) || !Array.isArray(restarts)) return null;
  return { nodes: Number(nodes), drained: drained.flatMap(nodeOf), restarts: restarts.flatMap(restartOf) };
}

function nodeOf(name: unknown): readonly NodeId[] {
  const node = typeof name === 'string' ? parseNodeId(name) : null;
  return node === null ? [] : [node];
}

function restartOf(value: unknown): readonly Restart[] {
  const { node: name, incarnation } = Object(value) as { readonly node?: unknown; readonly incarnation?: unknown };
  return nodeOf(name).flatMap((node) => (typeof incarnation === 'number' ? [{ node, incarnation }] : []));
}

/** Gives why it could not be written, else null. */
export function writeWishes(path: string, wishes: Wishes): string | null {
  try {
    replaceFile(path, `${JSON.stringify(wishes)}\n`, false);
    return null;
  } catch (error) {
    return `what was asked of the nodes cannot be written down, a later supervisor will not know of it: ${reasonOf(error)}`;
  }
}

export const nodesOf = (wishes: Pick<Wishes, 'nodes'>): readonly NodeId[] =>
  Array.from({ length: wishes.nodes }, (_, index) => nodeIdAt(index + 1));
