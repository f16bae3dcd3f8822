import type { World } from './world.ts';

export const moments = [
  'calm',
  'handler',
  'held',
  'opening',
  'join',
  'drain',
  'handover',
  'stop',
  'recopy',
  'outage',
] as const;
export type Moment = (typeof moments)[number];

/** Which faults have met which moments. A cell at zero says that the generator never tries it. */
export class Coverage {
  readonly table = new Map<string, number>();

  note(fault: string, world: World): void {
    for (const moment of momentsOf(world)) {
      const cell = `${fault} × ${moment}`;
      this.table.set(cell, (this.table.get(cell) ?? 0) + 1);
    }
  }
}

function momentsOf(world: World): readonly Moment[] {
  const found: Moment[] = [];
  const view = world.newestView;
  const { supervisor } = world;
  const living = world.living;
  if (living.some(({ service }) => service.holding.handlers > 0)) found.push('handler');
  if (living.some(({ service }) => service.holding.responses > 0)) found.push('held');
  if (living.some(({ service }) => service.holding.openings > 0)) found.push('opening');
  if (view?.next?.some((node) => !view.ring.includes(node))) found.push('join');
  if (view?.next && view.ring.some((node) => !view.next?.includes(node))) found.push('drain');
  if (living.some(({ service }) => service.isHandingOver)) found.push('handover');
  if (living.some(({ isStopping }) => isStopping)) found.push('stop');
  if (view !== null && view.next === null && supervisor?.process.isAlive && supervisor.settled === null)
    found.push('recopy');
  if (supervisor === null || !supervisor.process.isAlive || supervisor.membership === null) found.push('outage');
  if (found.length === 0) found.push('calm');
  return found;
}
