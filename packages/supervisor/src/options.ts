import type { CertificateFiles } from '@limpet/core';

/** Everything a cluster needs to know before it starts, validated by whoever calls. */
export interface ClusterOptions {
  readonly app: AppOptions;
  readonly balancer: {
    /** The program of a balancer process. */
    readonly entry: URL;
  };
  readonly nodes: number;
  readonly balancers: number;
  readonly host: string;
  /** 0: any free port; the bound one is reported. */
  readonly port: number;
  readonly adminHost: string;
  /** 0: any free port; the bound one is reported. */
  readonly adminPort: number;
  readonly runDir: string;
  readonly store: 'buddy' | 'memory';
  /** Copies of each session, the primary's included: 1, 2 or 3. */
  readonly copies: number;
  readonly cookieName: string;
  readonly headerName: string | null;
  /** Secrets, one per line, the newest first; null: one is made and kept in the run directory. */
  readonly secretFile: string | null;
  /** Sessions are saved to the run directory at a full stop, and loaded at the next start. */
  readonly keepSessions: boolean;
  /** Addresses whose `X-Forwarded-*` are believed. */
  readonly trustProxy: readonly string[];
  /** TLS on the port with these; plain HTTP without any. */
  readonly tls: readonly CertificateFiles[];
  /** Milliseconds that Limpet may add to a request. */
  readonly deadlineMs: number;
  /** Sessions end after so many milliseconds without a request. */
  readonly idleMs: number;
  /** Sessions end after so many milliseconds whatever happens. */
  readonly absoluteMs: number;
  /** A worker whose loop stands for so many milliseconds is killed; 0: never. 30,000 is usual. */
  readonly hangKillMs: number;
  /** Life of an Idempotency-Key's answer in its session, in milliseconds. */
  readonly keyLifeMs: number;
  /** Routes whose requests may be run again after a death, in the spelling of core/replayable.ts. */
  readonly replayable: readonly string[];
  /** A worker that does not listen after so many milliseconds is killed. 60,000 is usual. */
  readonly readyTimeoutMs: number;
  /** Requests and WebSockets of a drained node have so many milliseconds to end. 30,000 is usual. */
  readonly drainMs: number;
  /** Workers and balancers without a supervisor end themselves after so many milliseconds; 0: never. */
  readonly orphanMs: number;
  /** Where the workers put a failure drill's operations; null: nowhere, as ever but in a drill. */
  readonly drillDoor: string | null;
}

/** The program that the workers run. */
export interface AppOptions {
  readonly file: string;
  readonly args: readonly string[];
  readonly nodeArgs: readonly string[];
  /** Added to this process's own environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The module that makes a worker of the process, loaded before the app. */
  readonly preload: URL;
}
