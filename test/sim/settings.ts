import type { Bounds } from '@limpet/core';
import type { Dice } from './dice.ts';
import type { Weather } from './network.ts';

/** What is different from seed to seed. */
export interface Settings {
  readonly seed: number;
  /** Milliseconds of virtual time in which faults happen. */
  readonly ticks: number;
  readonly nodes: number;
  readonly copies: number;
  readonly balancers: number;
  readonly users: number;
  /** Requests that one user makes side by side. */
  readonly tabs: number;
  readonly deadlineMs: number;
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** Characters that every session holds besides what the app does with it: a large one is named before it is sent again. */
  readonly ballast: number;
  readonly weather: Weather;
  /** Mean time between two faults. */
  readonly faultEveryMs: number;
  /** Two nodes may die at once although some session has all its copies there: losses must be told and be no more than true. */
  readonly mayLose: boolean;
  /** Messages are copied on their way: slower, and a machine that changes what it was sent is found. */
  readonly copiesMessages: boolean;
  /** What grows with traffic is bounded by `tightBounds`. */
  readonly isTight: boolean;
}

/** Bounds that a short run reaches. The log still holds more requests than can be made while one is retried. */
export const tightBounds: Bounds = {
  logEntriesMax: 40,
  logAnswerBytesMax: 500,
  tombstonesMax: 2,
  earlyMessagesMax: 3,
  unknownIdsMax: 1,
  offersMax: 6,
  quietClaimsMax: 1,
  freshMax: 2,
  bulkMax: 1,
};

/** A limit in milliseconds that no world reaches. */
export const never = 1e9;

/** Draws a world. */
export function drawSettings(seed: number, ticks: number, dice: Dice): Settings {
  const copies = Number(dice.weighted({ '1': 0.06, '2': 0.7, '3': 0.24 }));
  const nodes = Math.max(copies, 2 + dice.int(4));
  const isShortLived = dice.chance(0.12);
  const isStormy = dice.chance(0.25);
  return {
    seed,
    ticks,
    nodes,
    copies,
    balancers: 2,
    users: 2 + dice.int(3),
    tabs: 1 + dice.int(3),
    deadlineMs: dice.pick([1_500, 3_000, 5_000]),
    idleMs: isShortLived ? dice.pick([300, 600, 1_500]) : never,
    absoluteMs: isShortLived && dice.chance(0.5) ? dice.pick([1_500, 3_000]) : never,
    ballast: dice.chance(0.15) ? 5_000 : 0,
    weather: {
      fastMs: dice.pick([0.3, 1, 3]),
      slowMs: isStormy ? dice.pick([30, 100, 400]) : 20,
      slowChance: isStormy ? 0.05 : 0.01,
    },
    faultEveryMs: dice.pick([60, 150, 300, 600]),
    mayLose: copies === 1 || dice.chance(0.1),
    copiesMessages: seed % 16 === 0,
    isTight: dice.chance(0.12),
  };
}
