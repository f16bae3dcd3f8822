import { hasMember, parseNodeId, type View } from '@limpet/core';
import type { Adopted } from './adopted-process.ts';
import type { Balancers } from './balancers.ts';
import type { Control } from './control.ts';
import type { ClusterEvent } from './events.ts';
import type { Health } from './health.ts';
import type { Losses } from './losses.ts';
import type { Port } from './port.ts';
import type { Difference } from './recorded-options.ts';
import type { Reports } from './reports.ts';
import { balancerGraceMs, type Stoppable, stopProcesses } from './stop.ts';
import type { Takeover } from './takeover.ts';
import type { ViewLoop } from './view-loop.ts';
import type { Workers } from './workers.ts';

export interface TakeInParts {
  readonly reports: Reports;
  readonly control: Control;
  readonly loop: ViewLoop;
  readonly workers: Workers;
  readonly balancers: Balancers;
  readonly port: Port;
  readonly health: Health;
  readonly losses: Losses;
  readonly differences: readonly Difference[];
  readonly emit: (event: ClusterEvent) => void;
}

/**
 * Puts what an earlier supervisor has left into its places, has everyone brought to the last view of that one, and
 * publishes the first of this one. All in one turn: nothing is told to anyone in between.
 */
export function takeIn(takeover: Takeover, parts: TakeInParts): void {
  const { term, view, dead, processes, greeted, asked } = takeover;
  const { reports, control, loop, workers, balancers, port, losses, differences, emit } = parts;
  control.turnTo(reports);
  loop.begin(term, view);
  // Of two that bear one name the member stays, else the later one.
  const ordered = [...processes].sort((a, b) => rankOf(b, view) - rankOf(a, view));
  for (const adopted of ordered) place(adopted, view, parts);
  for (const [peer, hello] of greeted) reports.admit(hello, peer);
  const reported = view === null ? [] : losses.takeOver(dead.map((member) => workers.burial(member)));
  emit({
    kind: 'adopted',
    term,
    nodes: namesOf(workers.processes),
    balancers: namesOf(balancers.processes),
    differences,
  });
  for (const report of reported) emit({ kind: 'died', report });
  for (const { peer, message } of asked) reports.message(peer, message);
  void port.hold();
  void stopProcesses(balancers.surplus, 'balancer', control, balancerGraceMs);
}

const rankOf = ({ entry: { name, incarnation } }: Adopted, view: View | null): number =>
  view?.members[name]?.incarnation === incarnation ? Number.MAX_SAFE_INTEGER : incarnation;

const namesOf = (processes: readonly Stoppable[]): readonly string[] => processes.map(({ name }) => name);

function place(adopted: Adopted, view: View | null, { workers, balancers, port, health }: TakeInParts): void {
  const { name, role } = adopted.entry;
  const { incarnation } = adopted;
  const node = parseNodeId(name);
  if (role === 'balancer') balancers.adopt(adopted);
  else if (role === 'holder') port.takeHolder(adopted);
  else if (node !== null) {
    const isMember = view !== null && hasMember(view, node, incarnation);
    workers.adopt(node, adopted, isMember);
    if (isMember) health.step({ kind: 'ready', node, incarnation, weight: 1 });
  }
}
