import { url as inspectorUrl } from 'node:inspector';
import { beatMs } from '@limpet/core';

/** Slots of the shared memory between the app's loop and the keeper. */
const turnsSlot = 0;
const inspectedSlot = 1;

/** What the app's loop shows of itself to its keeper, which must not have to ask it. */
export interface Pulse {
  /** Changes while the loop comes round. */
  readonly turns: number;
  /** A debugger was open when it last came round. */
  readonly inspected: boolean;
}

/** Counts the turns of the loop it is called on, for as long as that loop lives. Returns the memory it counts in. */
export function startPulse(): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const slots = new Int32Array(shared);
  const beat = (): void => {
    // An inspector that is open may be attached to at any time, and its client's breakpoint stops this very timer.
    Atomics.store(slots, inspectedSlot, inspectorUrl() === undefined ? 0 : 1);
    Atomics.add(slots, turnsSlot, 1);
  };
  beat();
  setInterval(beat, beatMs).unref();
  return shared;
}

export function readPulse(shared: SharedArrayBuffer): Pulse {
  const slots = new Int32Array(shared);
  return { turns: Atomics.load(slots, turnsSlot), inspected: Atomics.load(slots, inspectedSlot) === 1 };
}
