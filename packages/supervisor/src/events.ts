import type { Clock, Death, Guard, ViewNumber } from '@limpet/core';
import type { Difference } from './recorded-options.ts';

/** What one death did, figure by figure; null while, or because, it is not known. */
export interface DeathReport {
  readonly node: string;
  readonly incarnation: number;
  /** Null when it died while there was no supervisor. */
  readonly pid: number | null;
  /** `SIGKILL`, `exit 1`. */
  readonly how: string;
  /** `killed`: somebody's wish. `self`: its own program. `unknown`: nobody saw it. */
  readonly cause: Death['cause'];
  /** First line of the app's own error, where it left one. */
  readonly error: string | null;
  /** Milliseconds since the epoch at which the death was proven. */
  readonly at: number;
  /** The view without it. */
  readonly view: ViewNumber;
  /** Sessions whose primary it was, and others lost with it. */
  readonly sessions: number | null;
  /** How many of them each survivor took over. */
  readonly took: Readonly<Record<string, number>>;
  /** Sessions of which nobody holds a copy any more, of this node and of those that died shortly before it. */
  readonly lost: number | null;
  /** Whether `lost` was counted while nothing was changing; else it is about so many. */
  readonly lostIsExact: boolean;
  /** From the signal to the proof, when the signal was ours. */
  readonly detectedMs: number | null;
  /** From the proof until the next view was on disk and sent. */
  readonly publishedMs: number;
  /** The disk's share of that: both fsyncs of the view file, its own and its folder's. */
  readonly diskMs: number;
  /** From the signal when it was ours, else from the proof, until a request for one of its users was served. */
  readonly servedAfterMs: number | null;
  /** From the proof until every session had all its copies again. */
  readonly copiesAfterMs: number | null;
  /** From the proof until the node's next incarnation was in the ring. */
  readonly backAfterMs: number | null;
  /** Nothing more will become known. */
  readonly complete: boolean;
}

/** What happens in a cluster, in the order it happens. */
export type ClusterEvent =
  /** Processes are being started. */
  | { readonly kind: 'starting'; readonly nodes: number; readonly balancers: number; readonly pid: number }
  /**
   * The processes of an earlier supervisor have been taken over. `nodes`, `balancers`: those that serve on. `differences`:
   * what this start asked for and the running cluster does not have, or did not have before.
   */
  | {
      readonly kind: 'adopted';
      readonly term: number;
      readonly nodes: readonly string[];
      readonly balancers: readonly string[];
      readonly differences: readonly Difference[];
    }
  /** One line that a process wrote. `node` is the name of a node or a balancer. */
  | { readonly kind: 'output'; readonly node: string; readonly line: string }
  /** A worker listens. `notes`: other ports of its app and where they went. */
  | {
      readonly kind: 'node-ready';
      readonly node: string;
      readonly incarnation: number;
      readonly notes: readonly string[];
    }
  /** Requests are served. */
  | {
      readonly kind: 'ready';
      readonly ms: number;
      readonly url: string;
      readonly adminUrl: string;
      readonly nodes: readonly string[];
    }
  /** A worker died that was in the cluster. */
  | { readonly kind: 'died'; readonly report: DeathReport }
  /** What came of that death, once everything is known or 10 s have passed. */
  | { readonly kind: 'death'; readonly report: DeathReport }
  /** A worker ended before it listened and is started again after `retryMs`. */
  | {
      readonly kind: 'start-failed';
      readonly node: string;
      readonly incarnation: number;
      readonly reason: string;
      readonly retryMs: number;
    }
  /** The node stays down. */
  | { readonly kind: 'node-failed'; readonly node: string; readonly reason: string }
  /** The node is in the ring: at the start, or again. */
  | { readonly kind: 'node-joined'; readonly node: string; readonly incarnation: number; readonly view: ViewNumber }
  /** A member is silent, is heard again, is killed for it, or would be but for a guard (P8). `message` says it to people. */
  | {
      readonly kind: 'health';
      readonly change: 'suspect' | 'cleared' | 'kill' | 'spared';
      readonly node: string;
      readonly incarnation: number;
      readonly clock: Clock | null;
      readonly silentMs: number | null;
      readonly guard: Guard | null;
      readonly message: string;
    }
  /** What came of an operator's wish. `message` says it to people. */
  | {
      readonly kind: 'operation';
      readonly change: 'drain' | 'undrain' | 'drained' | 'down' | 'restarted' | 'scale' | 'pause' | 'resume';
      /** Null: it concerns all of them. */
      readonly node: string | null;
      readonly message: string;
    }
  | { readonly kind: 'balancer-died'; readonly balancer: string; readonly how: string }
  /** No node could be started. */
  | { readonly kind: 'all-failed'; readonly reason: string }
  /** Before anything is served: the sessions of the last full stop are back. `missing`: they were in a file that cannot be read. */
  | {
      readonly kind: 'sessions-loaded';
      readonly sessions: number;
      readonly expired: number;
      /** Signed with keys that this cluster does not have any more. */
      readonly unverified: number;
      readonly missing: number;
      readonly ms: number;
    }
  /** A file of saved sessions is not loaded, or not wholly; it is now called `now`. */
  | {
      readonly kind: 'sessions-set-aside';
      readonly file: string;
      readonly now: string;
      readonly why: string;
      readonly sessions: number | null;
    }
  /** The sessions are in files for the next start, but for `unsaved` of them. */
  | {
      readonly kind: 'sessions-saved';
      readonly sessions: number;
      readonly unsaved: number;
      readonly why: string | null;
      readonly ms: number;
    }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped'; readonly ms: number };
