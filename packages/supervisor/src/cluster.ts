import type { DeathReport } from './events.ts';
import type { Operations } from './operations.ts';
import type { Status } from './status.ts';

/** A running cluster, in the process that supervises it. */
export interface Cluster {
  readonly url: string;
  readonly adminUrl: string;
  status(): Status;
  /**
   * Finishes what runs, then ends every process and removes what only a running cluster needs; at most 10 s. A further
   * call gives the same promise.
   */
  stop(): Promise<void>;
  /** Ends every process at once, also while `stop` is under way. */
  abort(): Promise<void>;
  /**
   * Signals a node's worker and reports what came of its death. Rejects with LIMPET_UNKNOWN_NODE, LIMPET_NODE_DOWN, or
   * LIMPET_STILL_ALIVE when its app handles the signal and goes on.
   */
  kill(node: string, signal: NodeJS.Signals): Promise<DeathReport>;
  /** What an operator may wish: each returns when the wish is taken, `status` shows what comes of it. */
  readonly operations: Operations;
  /** Resolves when the cluster has stopped, whoever asked for it. */
  readonly stopped: Promise<void>;
}
