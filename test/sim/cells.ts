import { moments } from './coverage.ts';
import { faults } from './faults.ts';

export { moments } from './coverage.ts';

export const faultNames = faults;

/** Cells that cannot exist, each with the reason. */
export const emptyCells: Readonly<Record<string, string>> = {
  'supervisor × outage': 'there is none that could die or stop',
  'undrain × calm': 'calm has nobody that drains',
};

/** The cells that a run has never tried. */
export function findEmptyCells(cells: Readonly<Record<string, number>>): readonly string[] {
  const all = faults.flatMap((fault) => moments.map((moment) => `${fault} × ${moment}`));
  return all.filter((cell) => !(cell in emptyCells) && (cells[cell] ?? 0) === 0);
}
