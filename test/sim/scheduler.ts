import type { Process } from './process.ts';

/** One loop of a process: it runs one event at a time, and none while it or its process is held up. */
export class Thread {
  readonly name: string;
  readonly process: Process;
  /** Runs code of the product that awaits: what that resolves runs before the next event. */
  readonly awaits: boolean;
  isBlocked = false;
  /** What has arrived while it could not run: a socket's buffer, timers that are due. */
  readonly backlog: Happening[] = [];

  constructor(name: string, process: Process, awaits: boolean) {
    this.name = name;
    this.process = process;
    this.awaits = awaits;
    process.threads.push(this);
  }

  get isHeldUp(): boolean {
    return this.isBlocked || this.process.isStopped;
  }
}

/** Something that will happen. */
export interface Happening {
  at: number;
  order: number;
  readonly thread: Thread | null;
  readonly run: () => void;
  /** Asked when it arrives, whether or not the thread can take it up then: false, and it is lost on the way. */
  readonly arrives: (() => boolean) | null;
  isOff: boolean;
}

/** Continuations of one event, one after the other: far more than the longest chain of promises in the product. */
const turnsPerEvent = 24;

/** Virtual time: a heap of happenings. The whole world runs on it, one at a time. */
export class Scheduler {
  nowMs = 0;
  /** The thread whose event is running. */
  current: Thread | null = null;
  count = 0;
  #order = 0;
  readonly #heap: Happening[] = [];

  at(delayMs: number, thread: Thread | null, run: () => void, arrives: (() => boolean) | null = null): Happening {
    const happening: Happening = {
      at: this.nowMs + Math.max(0, delayMs),
      order: 0,
      thread,
      run,
      arrives,
      isOff: false,
    };
    this.#push(happening);
    return happening;
  }

  /** It can run again: what has waited comes first, in its order. */
  wake(thread: Thread): void {
    if (thread.isHeldUp) return;
    const waiting = thread.backlog.splice(0);
    for (const { run, isOff } of waiting) if (!isOff) this.at(0, thread, run);
  }

  /** Runs until `isOver`, or until the virtual time; false when the time was over first. */
  async run(untilMs: number, isOver: () => boolean): Promise<boolean> {
    for (;;) {
      if (isOver()) return true;
      const next = this.#heap[0];
      if (next === undefined || next.at > untilMs) {
        this.nowMs = untilMs;
        return isOver();
      }
      this.#pop();
      if (next.isOff) continue;
      if (next.at > this.nowMs) this.nowMs = next.at;
      const { thread } = next;
      if (thread !== null) {
        if (!thread.process.isAlive || (next.arrives !== null && !next.arrives())) continue;
        if (thread.isHeldUp) {
          thread.backlog.push(next);
          continue;
        }
      }
      this.count += 1;
      this.current = thread;
      next.run();
      if (thread?.awaits) for (let turn = 0; turn < turnsPerEvent; turn += 1) await undefined;
      this.current = null;
    }
  }

  #push(happening: Happening): void {
    this.#order += 1;
    happening.order = this.#order;
    const heap = this.#heap;
    let at = heap.length;
    heap.push(happening);
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = heap[parentAt];
      if (parent === undefined || isBefore(parent, happening)) break;
      heap[at] = parent;
      at = parentAt;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = heap[childAt];
      if (child === undefined) break;
      const right = heap[childAt + 1];
      if (right !== undefined && isBefore(right, child)) {
        childAt += 1;
        child = right;
      }
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
