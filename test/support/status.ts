/** What a test reads of `limpet status --json`; the command prints more. */
export interface Status {
  readonly view: { readonly term: number; readonly number: number } | null;
  readonly url: string;
  readonly admin: { readonly url: string };
  readonly settled: boolean;
  readonly unprotected: number;
  readonly lost: number;
  readonly unheld: number;
  readonly supervisor: { readonly pid: number };
  readonly balancers: readonly { readonly id: string; readonly pid: number | null }[];
  /** What came of each death, the newest last. */
  readonly lastDeaths: readonly DeathFigures[];
  readonly nodes: readonly {
    readonly id: string;
    readonly pid: number | null;
    readonly incarnation: number;
    readonly health: string;
    readonly mode: string;
    readonly sessions: { readonly primary: number; readonly buddy: number };
    readonly inFlight: number;
    readonly reason: string | null;
    readonly givenUp: boolean;
  }[];
}

export interface DeathFigures {
  readonly node: string;
  readonly incarnation: number;
  readonly how: string;
  readonly sessions: number | null;
  readonly took: { readonly [node: string]: number };
  readonly servedAfterMs: number | null;
  readonly copiesAfterMs: number | null;
  readonly backAfterMs: number | null;
  readonly complete: boolean;
}

/** The status as the admin port tells it. */
export async function readStatus(adminUrl: string): Promise<Status> {
  const response = await fetch(new URL('/api/status', adminUrl), { signal: AbortSignal.timeout(5_000) });
  if (!response.ok) throw new Error(`status: ${response.status}`);
  return (await response.json()) as Status;
}

/** Every wanted node alive and ready, and every session with its copies. */
export const allAlive = (status: Status, nodes: number): boolean =>
  status.settled &&
  status.nodes.length === nodes &&
  status.nodes.every(({ health, mode }) => health === 'alive' && mode === 'ready');
