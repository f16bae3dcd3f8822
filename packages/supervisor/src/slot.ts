import type { Clock, NodeId, Side } from '@limpet/core';
import type { Running } from './launch.ts';
import type { OutputFile } from './output.ts';
import type { HeldOutput } from './start-output.ts';
import type { SideStats } from './stats.ts';

/** A node's place in the supervisor: what is known of it over all its incarnations, and of the present one. */
export interface Slot {
  readonly id: NodeId;
  /** Counted from 0. */
  readonly index: number;
  readonly output: OutputFile;
  incarnation: number;
  /** By this supervisor. */
  starts: number;
  everReady: boolean;
  firstStartAt: number | null;
  shortLives: number;
  /** Why it is down, null while it is not. */
  reason: string | null;
  givenUp: boolean;
  restart: NodeJS.Timeout | null;
  /** The present incarnation, null while none runs. */
  life: Life | null;
}

/** One incarnation. */
export interface Life {
  readonly incarnation: number;
  readonly running: Running;
  readonly held: HeldOutput;
  readonly timer: NodeJS.Timeout;
  readonly sides: Set<Side>;
  listening: boolean;
  /** When it was ready, on the monotonic clock; null before. */
  readyAt: number | null;
  notes: readonly string[];
  /** What it, or the supervisor, said is wrong with it. */
  complaint: string | null;
  /** The line with which V8 gives up when the heap is full. */
  outOfMemory: string | null;
  /** It was told to finish and end, on somebody's wish (P11). */
  leaving: boolean;
  /** Somebody has stopped it with SIGSTOP, by `limpet pause`. */
  paused: boolean;
  stats: Partial<Record<Side, SideStats>>;
  /** Why the supervisor killed it of its own accord, null when it did not (P8). */
  hung: { readonly clock: Clock; readonly why: string } | null;
  /** The last signal the supervisor sent it on somebody's wish. */
  signal: { readonly name: NodeJS.Signals; readonly at: number } | null;
}

export const newSlot = (id: NodeId, index: number, output: OutputFile): Slot => ({
  id,
  index,
  output,
  incarnation: 0,
  starts: 0,
  everReady: false,
  firstStartAt: null,
  shortLives: 0,
  reason: null,
  givenUp: false,
  restart: null,
  life: null,
});
