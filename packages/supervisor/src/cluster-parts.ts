import type { Control } from './control.ts';
import type { ClusterEvent } from './events.ts';
import type { Keys } from './keys.ts';
import type { Left } from './left-processes.ts';
import type { Lock } from './lock.ts';
import type { ClusterOptions } from './options.ts';
import type { Places } from './places.ts';
import type { Port } from './port.ts';
import type { Difference, Recorded } from './recorded-options.ts';
import type { RunDirectory } from './run-directory.ts';
import type { SavedFiles } from './saved-files.ts';
import type { Views } from './views.ts';
import type { Wishes } from './wishes.ts';

/** What a cluster is made of before it runs. */
export interface ClusterParts {
  readonly options: ClusterOptions;
  readonly run: RunDirectory;
  readonly lock: Lock;
  readonly keys: Keys;
  readonly views: Views;
  /** Sessions of the last full stop. */
  readonly saved: SavedFiles;
  /** Of this supervisor, on disk. */
  readonly term: number;
  readonly places: Places;
  readonly control: Control;
  readonly port: Port;
  /** What an earlier supervisor has left; null: nothing. */
  readonly adoption: { readonly left: Left; readonly differences: readonly Difference[] } | null;
  /** What an operator has asked an earlier supervisor for, or what the options say. */
  readonly wishes: Wishes;
  /** What the running processes are, or are going to be, started with. */
  readonly recorded: Recorded;
  /** On the monotonic clock. */
  readonly startedAt: number;
  readonly onEvent: (event: ClusterEvent) => void;
}
