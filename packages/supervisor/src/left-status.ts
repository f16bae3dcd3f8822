import type { ViewNumber } from '@limpet/core';
import { readLeft } from './left-processes.ts';
import { readClusterFile, runDirectoryAt } from './run-directory.ts';
import { Views } from './views.ts';

/** A cluster whose supervisor is gone, as far as its run directory and /proc tell. */
export interface LeftStatus {
  /** The newest view on disk. */
  readonly view: ViewNumber | null;
  readonly url: string | null;
  readonly supervisor: null;
  readonly balancers: readonly { readonly id: string; readonly pid: number; readonly incarnation: number }[];
  /** Members of that view, and workers that are none. */
  readonly nodes: readonly {
    readonly id: string;
    readonly pid: number | null;
    readonly incarnation: number;
    readonly health: 'alive' | 'starting' | 'dead';
  }[];
}

/** What still runs in `runDir` without a supervisor. */
export function describeLeft(runDir: string): LeftStatus {
  const run = runDirectoryAt(runDir);
  const { living } = readLeft(run);
  const view = new Views(run.views).newest;
  const members = Object.values(view?.members ?? {}).map(({ id, incarnation }) => {
    const found = living.find((entry) => entry.name === id && entry.incarnation === incarnation);
    return {
      id: String(id),
      pid: found?.pid ?? null,
      incarnation,
      health: found ? ('alive' as const) : ('dead' as const),
    };
  });
  const others = living
    .filter(({ role, pid }) => role === 'worker' && !members.some((member) => member.pid === pid))
    .map(({ name: id, pid, incarnation }) => ({ id, pid, incarnation, health: 'starting' as const }));
  return {
    view: view && { term: view.term, number: view.number },
    url: readClusterFile(run)?.url ?? null,
    supervisor: null,
    balancers: living
      .filter(({ role }) => role === 'balancer')
      .map(({ name: id, pid, incarnation }) => ({ id, pid, incarnation })),
    nodes: [...members, ...others].sort((a, b) => placeOf(a.id) - placeOf(b.id)),
  };
}

const placeOf = (id: string): number => Number(id.slice(1));
