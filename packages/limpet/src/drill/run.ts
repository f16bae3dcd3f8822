import { LimpetError } from '@limpet/core';
import { Client } from './client.ts';
import { DrillCluster, hasCommand } from './cluster.ts';
import { drawDoor } from './door.ts';
import { type FaultKind, faultCommands, faultWeights } from './fault-kinds.ts';
import { type FaultRecord, makeFault, type Scene } from './faults.ts';
import { Load } from './load.ts';
import { Outages } from './outages.ts';
import { Random } from './random.ts';
import { Tally } from './tally.ts';

export interface DrillPlan {
  readonly app: string;
  readonly appArguments: readonly string[];
  /** Flags for `limpet start`. */
  readonly flags: readonly string[];
  readonly seed: number;
  /** Ends after so many killed processes; null: by time only. */
  readonly kills: number | null;
  /** Does not end before so many requests. */
  readonly requests: number;
  /** Ends after so many seconds. */
  readonly seconds: number;
  readonly sessions: number;
  readonly connections: number;
  readonly rate: number;
  readonly paths: readonly string[];
  readonly faults: readonly FaultKind[];
  /** Which fault is not made and why, for the report; null: all that were asked for. */
  readonly unmade: string | null;
}

export interface DrillResult {
  readonly plan: DrillPlan;
  readonly tally: Tally;
  readonly faults: readonly FaultRecord[];
  readonly seconds: number;
  readonly kills: number;
  readonly nodes: number;
  readonly balancers: number;
  readonly copies: number;
  /** Why it ended before its time, null when it did not. */
  readonly trouble: string | null;
}

export interface Watcher {
  /** After every fault. */
  progress(result: Pick<DrillResult, 'tally' | 'kills' | 'seconds'>, last: FaultRecord): void;
}

/** Load between the start and the first fault, and after the last one, in milliseconds. */
const calmMs = 1_000;
/** From a settled cluster to the next fault. */
const betweenMs = { least: 20, most: 300 } as const;

/**
 * Starts a cluster, loads it, hurts it, and checks every answer meanwhile. An aborted `signal` ends it early, with its result. Whatever
 * happens, no process of the cluster is left.
 */
export async function runDrill(plan: DrillPlan, watcher: Watcher, signal: AbortSignal): Promise<DrillResult> {
  const random = new Random(plan.seed);
  const door = drawDoor();
  const cluster = new DrillCluster({ ...plan, door });
  const missing = await findMissing(plan.faults);
  try {
    const { nodes, balancers, copies } = await cluster.start();
    const tally = new Tally();
    const outages = new Outages();
    const client = new Client(cluster.url, plan.connections + 2);
    const ground = { client, door, tally, outages };
    // Its own dice: how many the load throws depends on the clock, and the faults are to be the same for a seed.
    const load = new Load(ground, plan, new Random(plan.seed + 1));
    const faults: FaultRecord[] = [];
    const beganAt = performance.now();
    const secondsOf = (): number => (performance.now() - beganAt) / 1000;
    const killsOf = (): number => faults.reduce((sum, { kills }) => sum + kills, 0);
    load.start();
    let trouble: string | null = null;
    try {
      await load.full();
      await sleep(calmMs);
      const scene: Scene = { cluster, load, ground, outages, random, recent: [] };
      const weights = plan.faults
        .filter((kind) => !missing.includes(kind))
        .map((kind) => [kind, Math.max(1, faultWeights[kind])] as const);
      const isDone = (): boolean =>
        killsOf() >= (plan.kills ?? Number.POSITIVE_INFINITY) && tally.requests >= plan.requests;
      while (!signal.aborted && secondsOf() < plan.seconds && !isDone()) {
        const kind = random.weighed(weights);
        if (kind === null) throw new LimpetError('LIMPET_DRILL', { why: 'none of the faults asked for can be made' });
        const record = await makeFault(kind, scene);
        faults.push(record);
        watcher.progress({ tally, kills: killsOf(), seconds: secondsOf() }, record);
        await sleep(random.whole(betweenMs.least, betweenMs.most));
      }
      await sleep(calmMs);
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
    }
    await load.end();
    client.close();
    if (missing.length > 0) tally.note(`not made, for want of the command: ${missing.join(', ')}`);
    if (plan.unmade !== null) tally.note(plan.unmade);
    const counts = { nodes: nodes.length, balancers: balancers.length, copies };
    return { plan, tally, faults, seconds: secondsOf(), kills: killsOf(), ...counts, trouble };
  } finally {
    await cluster.stop();
  }
}

/** Faults made by a command that this version does not have. */
async function findMissing(faults: readonly FaultKind[]): Promise<readonly FaultKind[]> {
  const missing: FaultKind[] = [];
  for (const kind of faults) {
    const command = faultCommands[kind];
    if (command !== undefined && !(await hasCommand(command))) missing.push(kind);
  }
  return missing;
}

/** Whether it has shown what it was to show: nothing lost, doubled or failed, and as many kills and requests as were asked for. */
export const isPassed = ({ tally, trouble, kills, plan }: DrillResult): boolean =>
  tally.isWhole && trouble === null && kills >= (plan.kills ?? 0) && tally.requests >= plan.requests;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
